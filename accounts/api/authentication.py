"""Bearer tokens: signed, unexpired, and of the user's present session epoch."""

import uuid
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import Token

from accounts.models import User


class SessionTokenAuthentication(JWTAuthentication):
    """A token of a user who was deactivated or changed the password stops working at once."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        user = User.objects.filter(pk=validated_token.get("user_id")).first()
        if user is None or not user.is_active or not _of_present_epoch(validated_token, user):
            raise AuthenticationFailed("This token is no longer valid.", code="token_not_valid")
        return user


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI schema names it. Found by drf-spectacular because the class exists."""

    target_class = SessionTokenAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def caller(request: Request) -> User:
    """Who asks, on a route that needs a login."""
    return cast(User, request.user)


def session_id(request: Request) -> uuid.UUID | None:
    """The login session that the request's token belongs to."""
    claim = cast(Token, request.auth).get("sid")
    return uuid.UUID(claim) if claim else None


def _of_present_epoch(token: Token, user: User) -> bool:
    return bool(token.get("epoch") == user.session_epoch.hex)
