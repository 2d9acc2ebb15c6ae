"""Bearer tokens: signed, unexpired, and with the user's current session epoch."""

import time
import uuid
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import Token

from accounts import logins, queries
from accounts.models import User
from fido.lib.api import fast_path
from fido.lib.api.fast_path import Caller
from fido.lib.api.kept import remember_view
from fido.lib.cache import versioned_cache
from fido.lib.cache.versioned_cache import View
from fido.lib.values.memory import Memory

# Tokens whose signature this process has verified; each takes about two kilobytes.
_known = Memory[bytes, Token](4_000)


class SessionTokenAuthentication(JWTAuthentication):
    """A user's tokens stop working as soon as the user is deactivated or changes the password.

    A read gets the user's state from Redis, in the same round trip as the version of the user's
    answers. A write asks the database.
    """

    def authenticate(self, request: Request) -> tuple[User, Token] | None:  # type: ignore[override]
        header = self.get_header(request)
        raw = self.get_raw_token(header) if header else None
        if raw is None:
            return None
        token = self._verified(raw)
        user_id = _user_id(token)
        view = _view(request, user_id)
        remember_view(request, view)
        user = logins.remembered(view, token.get("epoch")) or self._loaded(view, token, user_id)
        if not user.is_staff:
            caller = Caller(user_id, logins.login_of(token["epoch"], is_staff=False), token["exp"])
            fast_path.introduce(request._request, caller)
        return user, token

    def _verified(self, raw: bytes) -> Token:
        """The token, if its signature is ours and it has not expired."""
        token = _known.get(raw)
        if token is None or token["exp"] <= time.time():
            token = self.get_validated_token(raw)
            _known.put(raw, token)
        return token

    def _loaded(self, view: View | None, token: Token, user_id: int) -> User:
        user = queries.caller(user_id)
        if user is None or not user.is_active or token.get("epoch") != user.session_epoch.hex:
            raise AuthenticationFailed("This token is no longer valid.", code="token_not_valid")
        if view:
            logins.remember(view, user)
        return user


def _view(request: Request, user_id: int) -> View | None:
    if request.method not in SAFE_METHODS:
        return None
    return fast_path.looked_up(request._request, user_id) or versioned_cache.look(user_id)


def _user_id(token: Token) -> int:
    try:
        return int(token["user_id"])
    except (KeyError, ValueError):
        raise AuthenticationFailed("This is not a user's token.", code="token_not_valid") from None


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Its name in the OpenAPI schema. drf-spectacular finds this class because it exists."""

    target_class = SessionTokenAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def caller(request: Request) -> User:
    """The caller, on a route that requires a login."""
    return cast(User, request.user)


def session_id(request: Request) -> uuid.UUID | None:
    """The id of the login session to which the request's token belongs."""
    claim = cast(Token, request.auth).get("sid")
    return uuid.UUID(claim) if claim else None
