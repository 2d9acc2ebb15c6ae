"""The two key rings: one encrypts, the other makes blind indexes. Each has its newest key first."""

import base64
import secrets
from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def fernet_ring() -> MultiFernet:
    """Encrypts under the newest key and decrypts under any.

    Built from the settings at each call instead of stored in a field, so that one process uses one
    ring everywhere.
    """
    return _ring(tuple(settings.FERNET_KEYS))


def newest_fernet() -> Fernet:
    return Fernet(settings.FERNET_KEYS[0])


def new_fernet_key() -> str:
    return Fernet.generate_key().decode()


def new_index_key() -> str:
    """32 random bytes in base64, for `BLIND_INDEX_KEYS`."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@lru_cache(maxsize=8)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
