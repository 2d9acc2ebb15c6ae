"""The backend itself; Django looks for it under this name."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout

from fido.lib.process import watchdog

# PostgreSQL cancels a statement after STATEMENT_TIMEOUT_SECONDS, and says so within this time.
GRACE_SECONDS = 5.0
# An idle connection is asked whether it still works. This is answered at once, or not at all.
CHECK_SECONDS = 3.0
POLL_SECONDS = 0.1  # psycopg's own


class ServerSilent(psycopg.OperationalError):
    """PostgreSQL, or a proxy before it, has said nothing in time. The connection is closed.

    What was sent may have been done, or may still be.
    """


class BoundedConnection(psycopg.Connection[Any]):
    """Each wait for the server ends after `wait_seconds`. None: it does not end by itself.

    Everything that a cursor does waits here: statements, commits, fetches, COPY, pipelines.
    """

    wait_seconds: float | None = None

    def wait(
        self, gen: PQGen[RV], interval: float = POLL_SECONDS, timeout: float | None = None
    ) -> RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)  # the caller handles the end
        try:
            return super().wait(gen, interval, self.wait_seconds)
        except _WaitTimeout:
            # Its answer, if it ever comes, would be taken for that of the next statement.
            self.pgconn.finish()
            raise ServerSilent(f"no answer within {self.wait_seconds:g} seconds") from None
        finally:
            watchdog.progressed()

    @contextmanager
    def waiting(self, seconds: float | None) -> Iterator[None]:
        """Meanwhile wait that long instead."""
        before, self.wait_seconds = self.wait_seconds, seconds
        try:
            yield
        finally:
            self.wait_seconds = before


class DatabaseWrapper(base.DatabaseWrapper):
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
