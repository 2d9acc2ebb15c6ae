"""Rotation of key rings, and stored column values."""

import base64
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.db import connection, models

from fido.lib.values.crypto import keys


def rotate(settings: Any) -> None:
    """Put a new key first in both rings."""
    settings.FERNET_KEYS = [keys.new_fernet_key(), *settings.FERNET_KEYS]
    new_index_key = base64.urlsafe_b64decode(keys.new_index_key())
    settings.BLIND_INDEX_KEYS = [new_index_key, *settings.BLIND_INDEX_KEYS]


def forget_older_keys(settings: Any) -> None:
    settings.FERNET_KEYS = settings.FERNET_KEYS[:1]
    settings.BLIND_INDEX_KEYS = settings.BLIND_INDEX_KEYS[:1]


def stored(row: models.Model, column: str) -> bytes | None:
    """A bytea as stored in the database."""
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE id = %s', [row.pk])
        (value,) = cursor.fetchone()
    return value and bytes(value)


def store(row: models.Model, column: str, value: bytes | None) -> None:
    """Write a bytea, bypassing every field and operation."""
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f'UPDATE "{table}" SET "{column}" = %s WHERE id = %s', [value, row.pk])


def is_under(key: str, token: bytes | None) -> bool:
    try:
        Fernet(key).decrypt(token or b"")
    except InvalidToken:
        return False
    return True
