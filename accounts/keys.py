"""API keys: what they look like, and all that makes, uses and ends them.

A key is `fido_<the user's id>_<256 random bits in hexadecimal>`. It names its user, so that the
lookup does too, like every query of a table that grows per user. What is stored is how it begins,
for people, and its SHA-256.
"""

import hashlib
import re
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from accounts.models import ApiKey, User
from accounts.operations import SessionEnded
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock
from fido.lib.values.errors import DomainError, InvalidInput, NotFound

MAX_KEYS = 50
# 18 digits fit a bigint.
_SHAPE = re.compile(rb"fido_([0-9]{1,18})_[0-9a-f]{64}")
# How much of the secret people see. The rest cannot be guessed either.
SHOWN = 6

# Finds the key and says that it was used, in one statement.
USE = """\
UPDATE accounts_apikey SET last_used_at = %s WHERE user_id = %s AND digest = %s
AND (expires_at IS NULL OR expires_at > %s) RETURNING scopes, expires_at"""


class TooManyKeys(DomainError):
    code, title = "too-many-keys", f"There are {MAX_KEYS} keys, the most that one user may have."


@dataclass(frozen=True)
class Used:
    """A key that is there. `expires_at` is in seconds since 1970, or infinite."""

    scopes: frozenset[str]
    expires_at: float


def is_key(bearer: bytes) -> bool:
    """Whether it means to be a key; a signed token begins with `ey`."""
    return bearer.startswith(b"fido_")


def digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def user_id_of(key: bytes) -> int | None:
    """The user whom a key names; None: this was never a key."""
    match = _SHAPE.fullmatch(key)
    return int(match[1]) if match else None


def make(
    *, user: User, name: str, scopes: Iterable[str], expires_at: datetime | None
) -> tuple[ApiKey, str]:
    """Make a key; return its row, and the key itself, which nobody can read again.

    Raises:
        InvalidInput: the user has a key of this name, or it expires before it is made.
        TooManyKeys
        SessionEnded: the user was logged out or deactivated meanwhile.
    """
    if expires_at and expires_at <= clock.now():
        raise InvalidInput("expires_at", "in-the-past", "This time is over.")
    secret = secrets.token_hex(32)
    key = f"fido_{user.pk}_{secret}"
    row = ApiKey(
        user=user,
        name=name,
        prefix=key[: SHOWN - len(secret)],
        digest=digest(key.encode()),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    with transaction.atomic():
        _require_room(user, name)
        row.save(force_insert=True)
    return row, key


def _require_room(user: User, name: str) -> None:
    # The write comes first: from here on, others who make or end keys of this user wait.
    present = User.objects.filter(pk=user.pk, session_epoch=user.session_epoch, is_active=True)
    if not present.update(is_active=True):
        raise SessionEnded()
    mine = ApiKey.objects.filter(user_id=user.pk)
    if mine.count() >= MAX_KEYS:
        raise TooManyKeys()
    if mine.filter(name=name).exists():
        raise InvalidInput("name", "taken", "There is a key of this name.")


def revoke(*, user_id: int, key_id: uuid.UUID) -> None:
    """End a key: the next request with it is refused, by every process.

    Raises:
        NotFound: it is not there any more.
    """
    with write_fence(user_id), transaction.atomic():
        User.objects.filter(pk=user_id).update(key_epoch=uuid.uuid4())
        if not ApiKey.objects.filter(user_id=user_id, pk=key_id).delete()[0]:
            raise NotFound()


def use(*, user_id: int, digest: bytes) -> Used | None:
    """The user's key with this digest, if it is there and has not expired; it is now used."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(USE, [now, user_id, digest, now])
        row = cursor.fetchone()
    if row is None:
        return None
    scopes, expires_at = row
    return Used(frozenset(scopes), expires_at.timestamp() if expires_at else float("inf"))
