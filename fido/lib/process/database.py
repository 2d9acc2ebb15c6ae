"""Limits on each PostgreSQL connection, beyond Django's settings."""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.signals import request_finished, request_started
from django.db import InterfaceError, InternalError, OperationalError, connection, transaction
from django.db.backends.signals import connection_created
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure

HAS_TRANSACTION_TIMEOUT = 170000
INVALID_TRANSACTION_STATE = "25"  # the SQLSTATE class
# How long a connection is trusted after its thread has served a request.
TRUSTED_SECONDS = 1.0


def bound_transactions() -> None:
    """Have PostgreSQL end any transaction of this process that lasts too long.

    For web processes and workers; a migration may take longer. PostgreSQL before 17 bounds each
    statement and each pause between two, but not their total.
    """
    connection_created.connect(_bound, dispatch_uid="fido.bound_transactions")


def _bound(sender: Any, connection: Any, **kwargs: Any) -> None:
    seconds = settings.TRANSACTION_TIMEOUT_SECONDS
    name = "idle_in_transaction_session_timeout"
    if connection.pg_version >= HAS_TRANSACTION_TIMEOUT:
        name = "transaction_timeout"
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [name, f"{seconds}s"])


def trust_busy_connections() -> None:
    """Ask a connection whether it still works only after idleness, not before each request.

    If the server has closed it, or has said anything unasked, it is asked at once; after an error
    Django asks in any case.
    """
    request_started.connect(_trust_if_busy, dispatch_uid="fido.trust_if_busy")
    request_finished.connect(_remember_use, dispatch_uid="fido.remember_use")


def _trust_if_busy(**kwargs: Any) -> None:
    # After Django's own receiver, which has asked for a check.
    if time.monotonic() - _last.used_at < TRUSTED_SECONDS and not _has_input():
        connection.health_check_done = True  # type: ignore[attr-defined]


def _has_input() -> bool:
    """Whether anything has arrived on the connection, such as its end."""
    if connection.connection is None or connection.connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _remember_use(**kwargs: Any) -> None:
    _last.used_at = time.monotonic()


class _Last(threading.local):
    """When this thread's connection was in use."""

    used_at = float("-inf")


_last = _Last()

BOUNDS = """
SELECT set_config('transaction_read_only', 'on', true),
    set_config('idle_in_transaction_session_timeout', %(idle)s, true)
"""
# First to none: setting another timeout does not restart one that is already running.
WHOLE_BOUND = """,
    set_config('transaction_timeout', '0', true),
    set_config('transaction_timeout', %(whole)s, true)
"""


@contextmanager
def bounded_read(*, seconds: int, idle_seconds: int) -> Iterator[None]:
    """A read-only transaction with its own bounds, which may be longer than the service's.

    PostgreSQL ends it, and the connection with it, after `seconds` (before PostgreSQL 17 the caller
    has to check the clock) or after `idle_seconds` without a statement. It may outlast
    TRANSACTION_TIMEOUT_SECONDS without harm: the cache depends only on when a *writer* expires, and
    here nothing can be written.
    """
    bounds = {"idle": f"{idle_seconds}s", "whole": f"{seconds}s"}
    has_bound = connection.pg_version >= HAS_TRANSACTION_TIMEOUT  # type: ignore[attr-defined]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(BOUNDS + (WHOLE_BOUND if has_bound else ""), bounds)
        yield
        # There is nothing to commit; and inside an outer transaction, as in a test, only a rollback
        # restores the settings.
        transaction.set_rollback(True)


@contextmanager
def no_limits(*, lock_seconds: int = 0) -> Iterator[None]:
    """Meanwhile a statement may take as long as it needs, and is waited for. For commands only.

    It waits for locks no longer than `lock_seconds`, unless that is 0.
    """
    with connection.cursor() as cursor, connection.connection.waiting(None):
        cursor.execute(f"SET statement_timeout = 0; SET lock_timeout = '{lock_seconds}s'")
        try:
            yield
        finally:
            cursor.execute("RESET statement_timeout; RESET lock_timeout")


@contextmanager
def limited_to(*, seconds: int) -> Iterator[None]:
    """Meanwhile PostgreSQL cancels a statement sooner than one of a request."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{seconds}s"])
        try:
            yield
        finally:
            cursor.execute("RESET statement_timeout")


# Another transaction was in the way.
BUSY = (LockNotAvailable, DeadlockDetected, SerializationFailure)


def is_busy(error: BaseException) -> bool:
    """Whether the transaction was rolled back because of another one; trying again may help."""
    return isinstance(error.__cause__, BUSY)


# A statement was cancelled, and a transaction or a pause in it was ended, by PostgreSQL's limits.
TIME_OUTS = {"57014", "25P03", "25P04"}


def took_too_long(error: BaseException) -> bool:
    """Whether PostgreSQL ended the statement or the transaction by one of its time limits."""
    return getattr(error.__cause__, "sqlstate", None) in TIME_OUTS


def is_database_away(error: Exception) -> bool:
    """Whether PostgreSQL did not answer, is busy, or is read-only, as during a failover."""
    sqlstate = getattr(error.__cause__, "sqlstate", None) or ""
    read_only = isinstance(error, InternalError) and sqlstate.startswith(INVALID_TRANSACTION_STATE)
    return read_only or isinstance(error, OperationalError | InterfaceError)
