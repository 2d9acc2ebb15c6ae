"""What the service asks of each connection to PostgreSQL beyond Django's settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection, transaction
from django.db.backends.signals import connection_created

HAS_TRANSACTION_TIMEOUT = 170000
INVALID_TRANSACTION_STATE = "25"  # SQLSTATE's class


def bound_transactions() -> None:
    """Has PostgreSQL end any transaction of this process that lasts too long.

    For web processes and workers; a migration may take its time. PostgreSQL before 17 bounds
    each statement and each pause between two, and not all of them together.
    """
    connection_created.connect(_bound, dispatch_uid="fido.bound_transactions")


def _bound(sender: Any, connection: Any, **kwargs: Any) -> None:
    seconds = settings.TRANSACTION_TIMEOUT_SECONDS
    name = "idle_in_transaction_session_timeout"
    if connection.pg_version >= HAS_TRANSACTION_TIMEOUT:
        name = "transaction_timeout"
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [name, f"{seconds}s"])


BOUNDS = """
SELECT set_config('transaction_read_only', 'on', true),
    set_config('idle_in_transaction_session_timeout', %(idle)s, true)
"""
# First to none: a timeout that runs already is not begun again by setting another one.
WHOLE_BOUND = """,
    set_config('transaction_timeout', '0', true),
    set_config('transaction_timeout', %(whole)s, true)
"""


@contextmanager
def bounded_read(*, seconds: int, idle_seconds: int) -> Iterator[None]:
    """A read-only transaction with bounds of its own, which may be longer than the service's.

    PostgreSQL ends it, and the connection with it, when it has lasted for `seconds` (before
    PostgreSQL 17 the caller has to look at the clock) or nothing was asked in it for
    `idle_seconds`. It may outlast TRANSACTION_TIMEOUT_SECONDS without harm: when a *writer*
    lapses is what the cache relies on, and here nothing can be written.
    """
    bounds = {"idle": f"{idle_seconds}s", "whole": f"{seconds}s"}
    has_bound = connection.pg_version >= HAS_TRANSACTION_TIMEOUT  # type: ignore[attr-defined]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(BOUNDS + (WHOLE_BOUND if has_bound else ""), bounds)
        yield
        # There is nothing to commit; and within somebody else's transaction, as in a test, only
        # a rollback takes the settings back.
        transaction.set_rollback(True)


def is_database_away(error: Exception) -> bool:
    """Whether PostgreSQL did not answer, or only reads, as while another server takes over."""
    sqlstate = getattr(error.__cause__, "sqlstate", None) or ""
    read_only = isinstance(error, InternalError) and sqlstate.startswith(INVALID_TRANSACTION_STATE)
    return read_only or isinstance(error, OperationalError | InterfaceError)
