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

INSERT = """\
WITH met AS ({condition}),
inserted AS (
    INSERT INTO {table} ({columns}) SELECT {values}{unless}
    RETURNING 1
){others}
SELECT (SELECT count(*) FROM inserted), (SELECT value FROM met)
"""
# Sent as one, in one round trip; outside a transaction, PostgreSQL makes one of them.
WAITING = """\
SET LOCAL lock_timeout = %s;
{};
SET LOCAL lock_timeout TO DEFAULT"""
OTHER = """,
other_{number} AS (INSERT INTO {table} ({columns}) SELECT {values} FROM inserted)"""


@dataclass(frozen=True)
class Condition:
    """A statement that returns one row with a `value`, or none: then nothing is inserted.

    If it waits for a lock longer than `wait_milliseconds`, the insert fails.
    """

    sql: str
    params: Sequence[Any]
    wait_milliseconds: int | None = None


# Fields whose values psycopg takes as they are. To have Django prepare each of them would take
# longer than the statement.
AS_IT_IS = {
    *(models.UUIDField, models.ForeignKey, models.CharField, models.BooleanField),
    *(models.BigIntegerField, models.DecimalField, models.DateField, models.DateTimeField),
}
ALWAYS = Condition("SELECT NULL AS value", ())


@dataclass(frozen=True)
class Outcome:
    """`value` is what the condition returned."""

    inserted: bool
    value: Any


def insert(row: Model, *others: Model, condition: Condition = ALWAYS) -> Outcome:
    """Insert the row, and with it the others, if the condition is met.

    Without a condition, nothing is inserted if the row conflicts with a unique constraint.

    Raises:
        IntegrityError: a row violates a constraint. This undoes what the condition has written.
        OperationalError: the condition has waited too long for a lock.
    """
    rows = (row, *others)
    sql = _text(tuple(type(each) for each in rows), condition.sql)
    params = [*condition.params, *(value for each in rows for value in _values(each))]
    with connection.cursor() as cursor:
        execute_waiting(cursor, sql, params, condition.wait_milliseconds)
        count, value = cursor.fetchone()
    if count:
        _mark_stored(rows)
    return Outcome(bool(count), value)


def execute_waiting(cursor: Any, sql: str, params: Sequence[Any], milliseconds: int | None) -> None:
    """Execute a statement that waits for no lock longer than that; None: there is no limit.

    Raises:
        OperationalError: it has waited too long.
    """
    if milliseconds is None:
        cursor.execute(sql, params)
    else:
        cursor.execute(WAITING.format(sql), [milliseconds, *params])
        cursor.nextset()  # from SET to the statement


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


@cache
def _text(models: tuple[type[Model], ...], condition: str) -> str:
    first, *others = (_parts(model) for model in models)
    return INSERT.format(
        condition=condition,
        unless=" ON CONFLICT DO NOTHING" if condition == ALWAYS.sql else " FROM met",
        others="".join(OTHER.format(number=n, **parts) for n, parts in enumerate(others)),
        **first,
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
