"""Inserts for which the ORM would take longer than PostgreSQL.

Rows of several tables go into one statement: one round trip, and all of them or none. Its text
depends only on the models, so it is made once. Many rows of one table are copied.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from django.db import connection, models
from django.db.models import Model

from fido.lib.process.prepared import repeated

# The row itself is the outermost, so that no part has to pass anything to another. Without
# ON CONFLICT, PostgreSQL looks into each unique index once, not twice.
INSERT = "{others}INSERT INTO {table} ({columns}) VALUES ({values})"
OTHER = "other_{number} AS (INSERT INTO {table} ({columns}) VALUES ({values}))"
INSERT_IF = """\
WITH met AS ({condition}){others}
INSERT INTO {table} ({columns}) SELECT {values} FROM met RETURNING (SELECT value FROM met)"""
INSERT_UNLESS_TAKEN = """\
WITH inserted AS (
    INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING RETURNING 1
){others}
SELECT FROM inserted"""
OTHER_AFTER = """,
other_{number} AS (INSERT INTO {table} ({columns}) SELECT {values} FROM {first})"""


@dataclass(frozen=True)
class Condition:
    """A statement that returns one row with a `value`, or none: then nothing is inserted."""

    sql: str
    params: Sequence[Any]


# Fields whose values psycopg takes as they are. To have Django prepare each of them would take
# longer than the statement.
AS_IT_IS = {
    *(models.UUIDField, models.ForeignKey, models.CharField, models.BooleanField),
    *(models.BigIntegerField, models.DecimalField, models.DateField, models.DateTimeField),
}


@dataclass(frozen=True)
class Outcome:
    """`value` is what the condition returned."""

    inserted: bool
    value: Any


def insert(row: Model, *others: Model) -> None:
    """Insert the rows, all of them or none.

    Raises:
        IntegrityError: a row violates a constraint.
    """
    _execute(_insert(type(row), *map(type, others)), (*others, row))


def insert_unless_taken(row: Model, *others: Model) -> bool:
    """Insert the rows, or none if the first one conflicts with a unique constraint.

    Raises:
        IntegrityError: a row violates another constraint, or another row a unique one.
    """
    sql = _insert_unless_taken(type(row), *map(type, others))
    return _execute(sql, (row, *others)).inserted


def insert_if(condition: Condition, row: Model, *others: Model) -> Outcome:
    """Insert the rows if the condition is met.

    Raises:
        IntegrityError: a row violates a constraint. This undoes what the condition has written.
        OperationalError: the condition has waited too long for a lock.
    """
    sql = _insert_if(condition.sql, type(row), *map(type, others))
    return _execute(sql, (*others, row), condition.params)


def insert_all(rows: Iterable[Model]) -> None:
    """Insert rows of any tables, in a statement for each table."""
    for model, of_table in groupby(sorted(rows, key=_table), key=type):
        manager: Any = model.objects  # type: ignore[attr-defined]
        manager.bulk_create(of_table)


def copy(rows: Sequence[Model]) -> None:
    """Insert many rows of one table. A conflict is an error."""
    if not rows:
        return
    model = type(rows[0])
    with copying(model, [field.column for field in model._meta.local_concrete_fields]) as lines:
        for row in rows:
            lines.write_row(tuple(_values(row)))
    _mark_stored(rows)


@contextmanager
def copying(model: type[Model], columns: Iterable[str]) -> Iterator[Any]:
    """PostgreSQL's COPY into these columns, to which lines can be written."""
    table, names = model._meta.db_table, ", ".join(f'"{column}"' for column in columns)
    sql = f"COPY {table} ({names}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(sql) as lines:
        yield lines


def _mark_stored(rows: Iterable[Model]) -> None:
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _execute(sql: str, rows: tuple[Model, ...], params: Sequence[Any] = ()) -> Outcome:
    with repeated() as cursor:
        cursor.execute(sql, [*params, *(value for row in rows for value in _values(row))])
        inserted = cursor.rowcount == 1
        value = cursor.fetchone()[0] if inserted and cursor.description else None
    if inserted:
        _mark_stored(rows)
    return Outcome(inserted, value)


@cache
def _insert(model: type[Model], *others: type[Model]) -> str:
    parts = [OTHER.format(number=n, **_parts(other)) for n, other in enumerate(others)]
    return INSERT.format(others=f"WITH {', '.join(parts)} " if parts else "", **_parts(model))


@cache
def _insert_unless_taken(model: type[Model], *others: type[Model]) -> str:
    return INSERT_UNLESS_TAKEN.format(others=_after("inserted", others), **_parts(model))


@cache
def _insert_if(condition: str, model: type[Model], *others: type[Model]) -> str:
    return INSERT_IF.format(condition=condition, others=_after("met", others), **_parts(model))


def _after(first: str, others: Iterable[type[Model]]) -> str:
    return "".join(
        OTHER_AFTER.format(number=n, first=first, **_parts(other)) for n, other in enumerate(others)
    )


def _parts(model: type[Model]) -> dict[str, str]:
    fields = model._meta.local_concrete_fields
    return {
        "table": model._meta.db_table,
        "columns": ", ".join(f'"{field.column}"' for field in fields),
        "values": ", ".join(["%s"] * len(fields)),
    }


def _values(row: Model) -> Iterable[Any]:
    for field in row._meta.local_concrete_fields:
        if type(field) in AS_IT_IS:
            yield getattr(row, field.attname)
        else:
            yield field.get_db_prep_save(field.pre_save(row, add=True), connection)


def _table(row: Model) -> str:
    return row._meta.db_table
