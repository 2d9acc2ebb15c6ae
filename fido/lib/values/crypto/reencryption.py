"""Moves encrypted columns and their blind indexes to the newest keys, while the service runs.

The unit is a batch of rows in primary key order. A row that is already under the newest keys is
read and left alone, so an interrupted run can simply be started again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.db import IntegrityError, OperationalError, connection, models, transaction
from psycopg import errors
from psycopg.sql import SQL, Composable, Identifier

from fido.lib.values.crypto.fields import BlindIndexField, EncryptedTextField, blind_index
from fido.lib.values.crypto.keys import fernet_ring, newest_fernet

logger = logging.getLogger(__name__)

# Below PostgreSQL's deadlock_timeout of 1 s, so that this statement gives way and never a request.
LOCK_TIMEOUT = "250ms"


@dataclass
class Tally:
    """Counts of tokens by key, of outdated digests, and of the rows written."""

    newest: int = 0
    older: int = 0
    unreadable: int = 0
    old_digests: int = 0
    written: int = 0

    @property
    def left(self) -> int:
        """Readable, but not under the newest keys."""
        return self.older + self.old_digests

    def add(self, other: Tally) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class Row(NamedTuple):
    """One row as stored. `user_id` and `digest` are None if the model has no such column."""

    pk: Any
    user_id: int | None
    token: bytes | None
    digest: bytes | None


@dataclass(frozen=True)
class Reading:
    """What a row holds, and what it should hold; both are equal if no key fits."""

    old: Row
    new: Row
    readable: bool = True

    @property
    def is_old(self) -> bool:
        return self.old != self.new

    def tally(self) -> Tally:
        if not self.readable:
            return Tally(unreadable=1)
        older = self.old.token != self.new.token
        newest = self.old.token is not None and not older
        return Tally(newest, older, 0, self.old.digest != self.new.digest)


@dataclass(frozen=True)
class EncryptedColumn:
    """An encrypted field of a model, and its blind index if it has one."""

    field: EncryptedTextField
    index: BlindIndexField | None

    def __str__(self) -> str:
        return str(self.field)

    @property
    def model(self) -> type[models.Model]:
        return self.field.model  # type: ignore[no-any-return]

    @property
    def has_user(self) -> bool:
        return any(field.column == "user_id" for field in self.model._meta.local_concrete_fields)

    def names(self) -> dict[str, Composable]:
        """The names of this column and its neighbours, for the statements below."""
        return {
            "table": Identifier(self.model._meta.db_table),
            "pk": Identifier(self._pk.column),
            "pk_type": SQL(self._pk.rel_db_type(connection)),
            "token": Identifier(self.field.column),
            "digest": Identifier(self.index.column) if self.index else SQL("NULL::bytea"),
            "user_id": Identifier("user_id") if self.has_user else SQL("NULL::bigint"),
        }

    @property
    def _pk(self) -> Any:
        return self.model._meta.pk


def encrypted_columns() -> list[EncryptedColumn]:
    """All encrypted columns, found through Django's model registry."""
    return [
        EncryptedColumn(field, _index_of(model, field.name))
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
        for field in model._meta.local_concrete_fields
        if isinstance(field, EncryptedTextField)
    ]


def estimated_rows(column: EncryptedColumn) -> int | None:
    """The table's approximate row count: an exact count of a large one takes too long."""
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(column.model._meta.db_table)
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [name])
        (rows,) = cursor.fetchone()
    return rows if rows > 0 else None


def batches(column: EncryptedColumn, size: int) -> Iterator[list[Row]]:
    """The column's rows in primary key order, each batch read when it is requested."""
    rows = _select(column, SQL("true"), [], size)
    while rows:
        yield rows
        rows = _select(column, SQL("{pk} > %s"), [rows[-1].pk], size)


def read(column: EncryptedColumn, row: Row) -> Reading:
    """Decrypt a row, and compute what it should hold under the newest keys."""
    if row.token is None:
        return _reading(column, row, row.token, None)
    try:
        try:
            value = newest_fernet().decrypt(row.token)
            token = row.token
        except InvalidToken:
            value = fernet_ring().decrypt(row.token)
            # Not encrypt(): rotate() preserves the token's creation time.
            token = fernet_ring().rotate(row.token)
        return _reading(column, row, token, value.decode())
    except (InvalidToken, UnicodeDecodeError):
        logger.error("The token in %s of row %s fits no key.", column, row.pk)
        return Reading(row, row, readable=False)


def move(column: EncryptedColumn, rows: Sequence[Row]) -> Tally:
    """Move the rows to the newest keys; return their state afterwards.

    A concurrent edit wins; its row is then counted as the edit left it.
    """
    readings = [read(column, row) for row in rows]
    old = [reading for reading in readings if reading.is_old]
    moved = write(column, old)
    tally = Tally(written=len(moved))
    for reading in readings:
        if not reading.is_old:
            tally.add(reading.tally())
    missed = [reading.old.pk for reading in old if reading.old.pk not in moved]
    tally.add(check(column, [*moved.values(), *_present(column, missed)]))
    return tally


def check(column: EncryptedColumn, rows: Sequence[Row]) -> Tally:
    """Count, and change nothing."""
    tally = Tally()
    for row in rows:
        tally.add(read(column, row).tally())
    return tally


def write(column: EncryptedColumn, readings: Sequence[Reading]) -> dict[Any, Row]:
    """Store the new values in rows that are still as they were read.

    Returns the rows that were written, by primary key. If a row stays locked, or another row
    already has its new digest, halving the batch isolates it, so the other rows are still written.
    """
    if not readings:
        return {}
    try:
        with transaction.atomic():
            return _compare_and_set(column, readings)
    except IntegrityError:
        clash = True
    except OperationalError as error:
        if not isinstance(error.__cause__, WAITED_FOR_A_LOCK):
            raise
        clash = False
    if len(readings) > 1:
        half = len(readings) // 2
        return write(column, readings[:half]) | write(column, readings[half:])
    return _without_digest(column, readings[0]) if clash else {}


WAITED_FOR_A_LOCK = (errors.LockNotAvailable, errors.DeadlockDetected)

SELECT = SQL("""
SELECT {pk}, {user_id}, {token}, {digest} FROM {table} WHERE {condition} ORDER BY {pk} LIMIT %s
""")

# The comparison with the old token preserves a concurrent edit: no two tokens are equal, not even
# of one value. Token and digest are set together, so they always match.
UPDATE = SQL("""
UPDATE {table} AS present SET {assignments}
FROM unnest(
    %(pk)s::{pk_type}[], %(user_id)s::bigint[], %(old_token)s::bytea[],
    %(token)s::bytea[], %(digest)s::bytea[]
) AS moved (pk, user_id, old_token, token, digest)
WHERE {conditions}
RETURNING present.{pk}
""")


def _compare_and_set(column: EncryptedColumn, readings: Sequence[Reading]) -> dict[Any, Row]:
    names = column.names()
    assignments = [SQL("{token} = moved.token")]
    conditions = [
        SQL("present.{pk} = moved.pk"),
        SQL("present.{token} IS NOT DISTINCT FROM moved.old_token"),
    ]
    if column.index:
        assignments.append(SQL("{digest} = moved.digest"))
    if column.has_user:
        conditions.append(SQL("present.user_id = moved.user_id"))
    statement = UPDATE.format(
        **names,
        assignments=SQL(", ").join(part.format(**names) for part in assignments),
        conditions=SQL(" AND ").join(part.format(**names) for part in conditions),
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        cursor.execute(statement, _arrays(readings))
        written = {pk for (pk,) in cursor.fetchall()}
    return {reading.new.pk: reading.new for reading in readings if reading.new.pk in written}


def _arrays(readings: Sequence[Reading]) -> dict[str, list[Any]]:
    return {
        "pk": [reading.old.pk for reading in readings],
        "user_id": [reading.old.user_id for reading in readings],
        "old_token": [reading.old.token for reading in readings],
        "token": [reading.new.token for reading in readings],
        "digest": [reading.new.digest for reading in readings],
    }


def _without_digest(column: EncryptedColumn, reading: Reading) -> dict[Any, Row]:
    """Only the token: a person has to resolve the conflict over the digest."""
    logger.error("Row %s of %s has the same value as another one.", reading.old.pk, column)
    token_only = replace(reading, new=reading.new._replace(digest=reading.old.digest))
    return write(column, [token_only] if token_only.is_old else [])


def _select(column: EncryptedColumn, condition: SQL, parameters: list[Any], size: int) -> list[Row]:
    names = column.names()
    statement = SELECT.format(**names, condition=condition.format(**names))
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, size])
        return [
            Row(pk, user_id, token and bytes(token), digest and bytes(digest))
            for pk, user_id, token, digest in cursor.fetchall()
        ]


def _present(column: EncryptedColumn, pks: list[Any]) -> list[Row]:
    return _select(column, SQL("{pk} = ANY(%s)"), [pks], len(pks)) if pks else []


def _reading(column: EncryptedColumn, row: Row, token: bytes | None, value: str | None) -> Reading:
    digest = column.index.digest(value) if column.index else None
    return Reading(row, row._replace(token=token, digest=digest))


def _index_of(model: type[models.Model], source: str) -> BlindIndexField | None:
    try:
        return blind_index(model, source)
    except LookupError:
        return None
