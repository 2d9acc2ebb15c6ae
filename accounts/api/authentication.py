"""Bearer authentication: by a login's access token, or by a machine's key.

A token counts while it has the user's current session epoch. A key counts while its row is there.
A process remembers tokens that it has verified and keys that it has found. What may have ended them
meanwhile, the user's state says: a read gets it from Redis, in the same round trip as the version
of the user's answers; a write asks the database.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import Token
from structlog.contextvars import bind_contextvars

from accounts import keys, logins, queries
from accounts.logins import Login
from accounts.models import User
from fido.lib.api import fast_path, scopes
from fido.lib.api.fast_path import Caller
from fido.lib.api.kept import remember_view
from fido.lib.api.scopes import Grant
from fido.lib.cache import versioned_cache
from fido.lib.cache.versioned_cache import View
from fido.lib.values.memory import Memory

# After as long, a process finds a key in the database again, which notes that it was used.
KEY_SECONDS = 3600


@dataclass(frozen=True)
class KnownKey(Grant):
    """A key that was in the database. `epoch` is the user's key epoch, read before the key was."""

    user_id: int
    epoch: str
    until: float
    rights: str


# What this process has verified; each takes about two kilobytes.
_tokens = Memory[bytes, Token](4_000)
_keys = Memory[bytes, KnownKey](4_000)


class BearerAuthentication(JWTAuthentication):
    """`Authorization: Bearer …`, with the scheme in any case (RFC 9110, section 11.1)."""

    def authenticate(self, request: Request) -> tuple[User, Token | KnownKey] | None:  # type: ignore[override]
        header = self.get_header(request)
        raw = self.get_raw_token(header) if header else None
        if raw is None:
            return None
        return _by_key(request, raw) if keys.is_key(raw) else self._by_token(request, raw)

    def get_raw_token(self, header: bytes) -> bytes | None:
        scheme, _, rest = header.partition(b" ")
        return super().get_raw_token(b"Bearer " + rest) if scheme.lower() == b"bearer" else None

    def _by_token(self, request: Request, raw: bytes) -> tuple[User, Token]:
        token = self._verified(raw)
        user_id, epoch = _user_id(token), token.get("epoch")
        found = _present(request, user_id, lambda login: login.epoch == epoch)
        if found is None or found[1].epoch != epoch:
            raise AuthenticationFailed("This token is no longer valid.", code="token_not_valid")
        user, login = found
        _introduce(request, user, Caller(user_id, login.text, token["exp"]))
        return user, token

    def _verified(self, raw: bytes) -> Token:
        """The token, if its signature is ours and it has not expired."""
        token = _tokens.get(raw)
        if token is None or token["exp"] <= time.time():
            token = self.get_validated_token(raw)
            _tokens.put(raw, token)
        return token


def _by_key(request: Request, raw: bytes) -> tuple[User, KnownKey]:
    key = _remembered(raw) or _found(raw)  # before Redis is asked about a user who may not exist
    epoch = key.epoch
    present = _present(request, key.user_id, lambda login: login.key_epoch == epoch)
    if present is None:
        raise _refusal()
    user, login = present
    if login.key_epoch != epoch:
        key = _found(raw)  # a key of this user was revoked: this one, or another
    _introduce(request, user, Caller(key.user_id, login.text, key.until, key.rights))
    return user, key


def _remembered(raw: bytes) -> KnownKey | None:
    key = _keys.get(keys.digest(raw))
    return key if key and key.until > time.time() else None


def _found(raw: bytes) -> KnownKey:
    """The key, if it is in the database."""
    user_id, digest = keys.user_id_of(raw), keys.digest(raw)
    # The epoch is read first. So a key that is revoked after it was found has another one.
    user = None if user_id is None else queries.caller(user_id)
    used = keys.use(user_id=user.pk, digest=digest) if user and user.is_active else None
    if user is None or used is None:
        raise _refusal()
    key = KnownKey(
        scopes=used.scopes,
        user_id=user.pk,
        epoch=Login.of(user).key_epoch,
        until=min(used.expires_at, time.time() + KEY_SECONDS),
        rights=" ".join(sorted(used.scopes)),
    )
    _keys.put(digest, key)
    return key


def _refusal() -> exceptions.AuthenticationFailed:
    return exceptions.AuthenticationFailed("This key is not valid.", code="invalid-key")


def _present(
    request: Request, user_id: int, counts: Callable[[Login], bool]
) -> tuple[User, Login] | None:
    view = _view(request, user_id)
    remember_view(request, view)
    return logins.present(view, user_id, counts)


def _introduce(request: Request, user: User, caller: Caller) -> None:
    bind_contextvars(actor=user.pk)
    if not user.is_staff:
        fast_path.introduce(request._request, caller)


def _view(request: Request, user_id: int) -> View | None:
    if request.method not in SAFE_METHODS:
        return None
    return fast_path.looked_up(request._request, user_id) or versioned_cache.look(user_id)


def _user_id(token: Token) -> int:
    try:
        return int(token["user_id"])
    except (KeyError, ValueError):
        raise AuthenticationFailed("This is not a user's token.", code="token_not_valid") from None


class BearerSchemes(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Their names in the OpenAPI schema. drf-spectacular finds this class because it exists."""

    target_class = BearerAuthentication
    name = ["bearer", "key"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        view, method = auto_schema.view, auto_schema.method
        return [{name: []} for name in (self.name if scopes.needed(view, method) else ["bearer"])]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": form} for form in ("JWT", "fido_…")
        ]


def caller(request: Request) -> User:
    """The caller, on a route that requires a login."""
    return cast(User, request.user)


def session_id(request: Request) -> uuid.UUID | None:
    """The id of the login session to which the request's token belongs."""
    claim = cast(Token, request.auth).get("sid")
    return uuid.UUID(claim) if claim else None
