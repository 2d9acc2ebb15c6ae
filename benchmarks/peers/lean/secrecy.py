"""Names and tokens: Fernet, a blind index, and a signed login, as Fido has them."""

import hashlib
import hmac
import os
import unicodedata
from base64 import urlsafe_b64decode
from dataclasses import dataclass

import jwt
from cryptography.fernet import Fernet

FERNET = Fernet(os.environ["FERNET_KEYS"].split(",")[0])
INDEX_KEY = urlsafe_b64decode(os.environ["BLIND_INDEX_KEYS"].split(",")[0])
SIGNING_KEY = os.environ["JWT_SIGNING_KEY"]


@dataclass(frozen=True, slots=True)
class Caller:
    id: int
    epoch: str


def caller_of(header: str) -> Caller:
    """Who a bearer token was signed for. Raises jwt.InvalidTokenError."""
    claims = jwt.decode(header.removeprefix("Bearer "), SIGNING_KEY, algorithms=["HS256"])
    return Caller(int(claims["user_id"]), claims["epoch"])


def sealed(text: str | None) -> bytes | None:
    return None if text is None else FERNET.encrypt(text.encode())


def opened(token: bytes | None) -> str | None:
    return None if token is None else FERNET.decrypt(token).decode()


def index_of(name: str | None) -> bytes | None:
    """HMAC-SHA-256 of the name without case, accents and extra spaces."""
    if name is None:
        return None
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    normalised = " ".join(unicodedata.normalize("NFKC", bare).casefold().split())
    return hmac.digest(INDEX_KEY, normalised.encode(), hashlib.sha256)
