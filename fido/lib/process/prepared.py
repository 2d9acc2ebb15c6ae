"""Statements that most requests execute: PostgreSQL parses and plans them once for a connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from psycopg import Cursor


@contextmanager
def repeated() -> Iterator[Any]:
    """A cursor like Django's; what a connection executes with it again is a prepared statement.

    Only for statements whose best plan does not depend on the values: an INSERT, or a row by its
    unique key. docs/adr/0038-prepared-statements.md says why, and what a pooler must be able to do.
    """
    with connection.cursor() as cursor:
        # Django's wrapper remains around it, with its log and its exceptions.
        cursor.cursor = Cursor(connection.connection)
        yield cursor
