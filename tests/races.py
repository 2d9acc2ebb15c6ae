"""Real threads on one PostgreSQL: all at once, or one held up in the middle of its write."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

from django.db import connection, connections

T = TypeVar("T")
DEADLINE_SECONDS = 20


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Runs each call in its own thread, all let go together; their results in order."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        connection.ensure_connection()  # so that connecting does not spread them out
        barrier.wait(DEADLINE_SECONDS)
        return _and_disconnect(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@contextmanager
def meanwhile(call: Callable[[], T]) -> Iterator[Future[T]]:
    """`call` in another thread; what it gives is ready when the block ends."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(_and_disconnect, call)


def wait_until_blocked() -> None:
    """Returns once another connection waits for a lock that this one's transaction holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            # pg_locks and not pg_stat_activity, which stays as it was within a transaction.
            cursor.execute(
                "SELECT count(*) FROM pg_locks"
                " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            if cursor.fetchone() != (0,):
                return
            time.sleep(0.005)
    raise TimeoutError("nobody waits for this transaction")


def _and_disconnect(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        connections.close_all()
