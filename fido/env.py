"""Reads the environment, and stops the start with a sentence that says what to set."""

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Callable, Collection, Container, Mapping
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from fido.lib.values.limits import Rate

T = TypeVar("T")

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# These may be in a file instead, which NAME_FILE names. Then the environment does not show them,
# and neither do listings of processes or containers.
SECRETS = (
    "SECRET_KEY",
    "JWT_SIGNING_KEY",
    "FERNET_KEYS",
    "BLIND_INDEX_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "METRICS_TOKEN",
    "FIDO_DEMO_PASSWORD",
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Environment:
    """Typed lookups of environment variables.

    Every lookup raises ImproperlyConfigured, with the variable's name and what it should hold, if
    the variable is missing or malformed. The message never repeats the value, which may be a
    secret.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        given = os.environ if variables is None else variables
        self._variables = {**given, **_from_files(given)}

    def text(self, name: str, meaning: str, default: str | None = None) -> str:
        value = self._variables.get(name, "").strip() or default
        if value is None:
            raise ImproperlyConfigured(f"Set {name}: {meaning}.")
        return value

    def secret(self, name: str, meaning: str, minimum_bytes: int) -> str:
        value = self.text(name, meaning)
        if len(value.encode()) < minimum_bytes:
            raise ImproperlyConfigured(f"{name} is too short: {meaning}.")
        return value

    def token(self, name: str) -> str | None:
        """A secret that is valid in an HTTP header; None if it is not set."""
        value = self.text(name, "a token", "")
        if value and not re.fullmatch(r"[!-~]{16,}", value):
            raise ImproperlyConfigured(f"{name} must be at least 16 letters, digits or symbols.")
        return value or None

    def folder(self, name: str) -> str | None:
        """A writable folder; None if it is not set."""
        value = self.text(name, "a folder", "")
        if not value:
            return None
        try:
            # We try to write, because a folder's mode says nothing about a read-only file system.
            with TemporaryFile(dir=value):
                return value
        except OSError:
            raise ImproperlyConfigured(f"{name} must be a folder that can be written to.") from None

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.text(name, "true or false", str(default)).lower()
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} must be true or false.")
        return value in TRUE

    def choice(self, name: str, choices: Collection[str], *, default: str) -> str:
        value = self.text(name, "a choice", default).lower()
        if value not in choices:
            raise ImproperlyConfigured(f"{name} must be {' or '.join(choices)}.")
        return value

    def integer(self, name: str, *, default: int, minimum: int = 1) -> int:
        value = self.text(name, "a whole number", str(default))
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or int(value) < minimum:
            raise ImproperlyConfigured(f"{name} must be a whole number of at least {minimum}.")
        return int(value)

    def rate(self, name: str, default: str | None) -> Rate | None:
        value = self.text(name, "a rate such as 10/5m", default or "off")
        if value == "off":
            return None
        match = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,4})([smhd])", value, re.ASCII)
        if match is None:
            raise ImproperlyConfigured(f"{name} must be a rate such as 10/5m, or off.")
        return Rate(int(match[1]), int(match[2]) * SECONDS[match[3]])

    def currency(self, name: str, *, default: str, known: Container[str]) -> str:
        value = self.text(name, "an ISO 4217 code", default)
        if value not in known:
            raise ImproperlyConfigured(f"{name} must be an ISO 4217 code such as {default}.")
        return value

    def factor(self, name: str, *, default: str) -> Decimal:
        value = self.text(name, "a number above 1", default)
        if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value, re.ASCII) or Decimal(value) <= 1:
            raise ImproperlyConfigured(f"{name} must be a number above 1, such as {default}.")
        return Decimal(value)

    def url(self, name: str) -> str | None:
        """A base URL; None if it is not set."""
        value = self.text(name, "an address", "")
        if value and not _is_plain_url(value):
            raise ImproperlyConfigured(
                f"{name} must be an http or https address without user, password, ? or #."
            )
        return value.rstrip("/") or None

    def words(self, name: str, default: str = "") -> list[str]:
        return [word for word in re.split(r"[,\s]+", self._variables.get(name, default)) if word]

    def networks(self, name: str) -> list[Network]:
        return self._each(name, ipaddress.ip_network, "networks such as 10.0.0.0/8")

    def fernet_keys(self, name: str) -> list[str]:
        meaning = (
            "Fernet keys, newest first, separated by commas; `manage.py generate_key` makes one"
        )
        self.text(name, meaning)
        self._each(name, Fernet, meaning)
        return self.words(name)

    def index_keys(self, name: str) -> list[bytes]:
        meaning = "32-byte keys in base64, newest first; `manage.py generate_key` makes one"
        self.text(name, meaning)
        return self._each(name, _index_key, meaning)

    def _each(self, name: str, convert: Callable[[str], T], meaning: str) -> list[T]:
        try:
            return [convert(word) for word in self.words(name)]
        except (ValueError, binascii.Error):
            # From None: the original message may quote the secret.
            raise ImproperlyConfigured(f"{name} must hold {meaning}.") from None


def is_given(name: str, variables: Mapping[str, str] = os.environ) -> bool:
    """Whether a variable is set, directly or by file."""
    return any(variables.get(one, "").strip() for one in (name, f"{name}_FILE"))


def _from_files(given: Mapping[str, str]) -> dict[str, str]:
    """The secrets that are given by file."""
    files = {name: path for name in SECRETS if (path := given.get(f"{name}_FILE", "").strip())}
    return {name: _file_of(name, path, given) for name, path in files.items()}


def _file_of(name: str, path: str, given: Mapping[str, str]) -> str:
    if given.get(name, "").strip():
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, but not both.")
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        # From None: the original message may quote the file.
        raise ImproperlyConfigured(f"{name}_FILE must name a readable text file.") from None


def _is_plain_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        re.fullmatch(r"[!-~]+", text) is not None
        and parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port != 0
        # Errors and logs may show the address, so it must not contain a password.
        and not {"@", "?", "#"} & set(text)
    )


def _index_key(word: str) -> bytes:
    key = base64.b64decode(word, altchars=b"-_", validate=True)
    if len(key) < 32:
        raise ValueError("too short")
    return key
