"""What blind indexes are made of. No model is needed here, nor Django."""

import hashlib
import hmac
import unicodedata


def normalised_name(value: str) -> str:
    """Case, accents and spacing aside, as names are compared."""
    decomposed = unicodedata.normalize("NFKD", value.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(unicodedata.normalize("NFKC", bare).casefold().split())


def normalised_email(value: str) -> str:
    """Case and spacing aside; accents count, for they lead to another mailbox."""
    return unicodedata.normalize("NFKC", value).casefold().strip()


def digest(key: bytes, label: str, normalised: str) -> bytes:
    """HMAC-SHA-256. `label` names the field, so that equal values of two fields do not show."""
    return hmac.digest(key, f"{label}\0{normalised}".encode(), hashlib.sha256)
