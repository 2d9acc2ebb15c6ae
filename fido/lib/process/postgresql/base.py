"""The backend itself; Django looks for it under this name."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from django.db.backends.postgresql.operations import DatabaseOperations
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout
from psycopg.waiting import READY_NONE, Ready

from fido.lib.process import watchdog

# PostgreSQL cancels a statement after STATEMENT_TIMEOUT_SECONDS, and says so within this time.
GRACE_SECONDS = 5.0
# An idle connection is asked whether it still works. This is answered at once, or not at all.
CHECK_SECONDS = 3.0
POLL_SECONDS = 0.1  # psycopg's own
# Whoever has waited that long asks PostgreSQL on another connection whether it is still at work,
# and again after twice as long each time. If it is not, an answer may be on its way: we wait a
# little, and ask once more.
LOOK_SECONDS, SURE_SECONDS = 2.0, 1.0
STATE = "SELECT state FROM pg_stat_activity WHERE pid = %s"


class ServerSilent(psycopg.OperationalError):
    """PostgreSQL, or a proxy before it, has said nothing in time. The connection is closed.

    What was sent may have been done, or may still be.
    """


class BoundedConnection(psycopg.Connection[Any]):
    """Each wait for the server ends after `wait_seconds`. None: it does not end by itself.

    It ends sooner if the server is not at work for this connection: then nothing will come.
    Everything that a cursor does waits here: statements, commits, fetches, COPY, pipelines.
    """

    wait_seconds: float | None = None

    def wait(
        self, gen: PQGen[RV], interval: float = POLL_SECONDS, timeout: float | None = None
    ) -> RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)  # the caller handles the end
        try:
            return self._wait_while_at_work(gen, interval)
        finally:
            watchdog.progressed()

    def _wait_while_at_work(self, gen: PQGen[RV], interval: float) -> RV:
        limit = math.inf if self.wait_seconds is None else self.wait_seconds
        began, pause, was_idle = time.monotonic(), LOOK_SECONDS, False
        while True:
            left = max(0.0, began + limit - time.monotonic())
            try:
                return super().wait(gen, interval, min(pause, left))
            except _WaitTimeout:
                gen = _resumed(gen)
            is_idle = left > pause and self._is_idle_in_server()
            if left <= pause or (is_idle and was_idle):
                # Its answer, if it ever comes, would be taken for that of the next statement.
                self.pgconn.finish()
                waited = time.monotonic() - began
                raise ServerSilent(f"no answer within {waited:.1f} seconds")
            pause, was_idle = SURE_SECONDS if is_idle else 2 * pause, is_idle

    def _is_idle_in_server(self) -> bool:
        """Whether the server says so. If it does not say, it may be at work.

        A pooler in between has numbers of its own, for which the server knows no process.
        """
        try:
            with (
                type(self).connect(
                    self.info.dsn, password=self.info.password, autocommit=True, connect_timeout=3
                ) as other,
                other.waiting(CHECK_SECONDS),
            ):
                found = other.execute(STATE, [self.info.backend_pid]).fetchone()
        except psycopg.Error:
            return False
        return found is not None and str(found[0]).startswith("idle")

    @contextmanager
    def waiting(self, seconds: float | None) -> Iterator[None]:
        """Meanwhile wait that long instead."""
        before, self.wait_seconds = self.wait_seconds, seconds
        try:
            yield
        finally:
            self.wait_seconds = before


def _resumed(gen: PQGen[RV]) -> PQGen[RV]:
    """One that was left when a wait's time was over, as one that begins."""
    ready: Ready | int = READY_NONE
    while True:
        try:
            state = gen.send(ready)
        except StopIteration as done:
            result: RV = done.value
            return result
        ready = yield state


class Operations(DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> Any:
        # psycopg keeps no text of a statement that was already prepared.
        return super().last_executed_query(cursor, sql, params) or sql


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = Operations
    # Django asks it for `connect` and for the classes of errors.
    Database = SimpleNamespace(**{**vars(psycopg), "connect": BoundedConnection.connect})

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection whose waits are a little longer than the server's limit for a statement."""
        connection = super().get_new_connection(conn_params)
        connection.wait_seconds = settings.STATEMENT_TIMEOUT_SECONDS + GRACE_SECONDS
        return connection

    def is_usable(self) -> bool:
        if self.connection is None:
            return False
        seconds = min(CHECK_SECONDS, self.connection.wait_seconds or CHECK_SECONDS)
        with self.connection.waiting(seconds):
            return super().is_usable()
