"""How blind indexes are computed. Needs neither models nor Django."""

import hashlib
import hmac
import unicodedata


def normalised_name(value: str) -> str:
    """For comparing names: without case, accents and extra spacing."""
    decomposed = unicodedata.normalize("NFKD", value.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(unicodedata.normalize("NFKC", bare).casefold().split())


def normalised_email(value: str) -> str:
    """Without case and spacing; accents count, because they mean another mailbox."""
    return unicodedata.normalize("NFKC", value).casefold().strip()


def digest(key: bytes, label: str, normalised: str) -> bytes:
    """HMAC-SHA-256. `label` names the field, so that equal values of two fields differ."""
    return hmac.digest(key, f"{label}\0{normalised}".encode(), hashlib.sha256)
