"""How passwords are hashed: OWASP's parameters for Argon2id, and few at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher

from fido.lib.values.errors import Overloaded
from fido.lib.values.metrics import OVERLOADED

# Of a process: a hash occupies a core, and other requests want the other threads.
AT_ONCE = 1
PATIENCE_SECONDS = 2.0
_free = BoundedSemaphore(AT_ONCE)


class Argon2(Argon2PasswordHasher):
    """19 MiB, two passes, one lane (OWASP's Password Storage Cheat Sheet).

    Django's own parameters take 100 MiB and eight lanes. Hashes made with those stay valid, and are
    replaced at the next login.

    Raises:
        Overloaded: too many passwords are being hashed already.
    """

    time_cost, memory_cost, parallelism = 2, 19_456, 1

    def encode(self, *args: Any, **kwargs: Any) -> str:
        with _turn():
            return str(super().encode(*args, **kwargs))

    def verify(self, *args: Any, **kwargs: Any) -> bool:
        with _turn():
            return bool(super().verify(*args, **kwargs))


@contextmanager
def _turn() -> Iterator[None]:
    if not _free.acquire(timeout=PATIENCE_SECONDS):
        OVERLOADED.labels("password").inc()
        raise Overloaded()
    try:
        yield
    finally:
        _free.release()
