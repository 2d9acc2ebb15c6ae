"""The two tokens of a login session, signed by simplejwt."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts.models import LoginSession, User
from fido.lib.values import clock


@dataclass(frozen=True)
class TokenPair:
    """What a client gets: two signed tokens and the access token's lifetime in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True)
class RefreshClaims:
    user_id: int
    session_id: uuid.UUID
    token_id: str


def pair_for(user: User, session: LoginSession) -> TokenPair:
    """Sign the pair for `session.token_id`."""
    refresh = RefreshToken()
    refresh["jti"] = session.token_id
    lifetime = api_settings.ACCESS_TOKEN_LIFETIME
    return TokenPair(
        access_token=str(_signed(AccessToken(), user, session)),
        refresh_token=str(_signed(refresh, user, session)),
        expires_in=int(lifetime.total_seconds()),
    )


def refresh_expiry() -> datetime:
    lifetime: timedelta = api_settings.REFRESH_TOKEN_LIFETIME
    return clock.now() + lifetime


def read_refresh(text: str) -> RefreshClaims | None:
    """The claims of a refresh token that we signed and that has not expired; otherwise None."""
    try:
        token = RefreshToken(text)  # type: ignore[arg-type]
        return RefreshClaims(
            user_id=int(token["user_id"]),
            session_id=uuid.UUID(token["sid"]),
            token_id=str(token["jti"]),
        )
    except (TokenError, KeyError, ValueError):
        return None


def _signed(token: Token, user: User, session: LoginSession) -> Token:
    token["user_id"] = str(user.pk)
    token["epoch"] = user.session_epoch.hex
    token["sid"] = session.pk.hex
    return token
