"""Statements in SQL, for reads where the ORM would take longer than PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from django.core.exceptions import FullResultSet
from django.db import connection
from django.db.models import QuerySet
from psycopg import Cursor
from psycopg.pq import Format


class _Planned(Cursor[Any]):
    """Each statement is planned for its values: a history's plan depends on whose it is."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        return super().execute(query, params, **{"prepare": False, **options})


def rows_of(
    sql: str, parameters: Mapping[str, Any] | Sequence[Any], *, plan_once: bool = False
) -> list[tuple[Any, ...]]:
    """What the statement finds. Times are in UTC; encrypted columns are still tokens.

    `plan_once` is for statements that are `repeated`, see there.
    The rows come in PostgreSQL's binary format, which psycopg reads in C. Django's cursors read
    text, and times by a loader in Python.
    """
    with connection.cursor() as cursor:
        # Django's wrapper remains around it, with its log and its exceptions.
        cursor.cursor = (Cursor if plan_once else _Planned)(connection.connection)
        cursor.cursor.format = Format.BINARY
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def condition_of(rows: QuerySet[Any]) -> tuple[str, Sequence[Any]]:
    """The condition of a queryset that joins no table, and its parameters.

    Raises:
        EmptyResultSet: nothing can match.
    """
    query = rows.query
    compiler = query.get_compiler(connection=connection)
    try:
        condition, parameters = compiler.compile(query.where)
    except FullResultSet:
        return "true", ()
    return condition, parameters
