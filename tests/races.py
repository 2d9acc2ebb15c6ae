"""Real threads on one PostgreSQL: all at once, or one paused in the middle of its write."""

import fcntl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import TypeVar

from django.db import connection, connections, transaction

T = TypeVar("T")
# Only against hanging, so it suits the slowest machine.
DEADLINE_SECONDS = 300
CROWD = 10


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Run each call in its own thread, all released together; return their results in order."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        connection.ensure_connection()  # so that connecting does not spread them out
        barrier.wait(DEADLINE_SECONDS)
        return and_disconnect(call)

    with _room_for(len(calls)), ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@contextmanager
def _room_for(connections: int) -> Iterator[None]:
    """One crowd at a time, of all processes that test here: the server takes a hundred."""
    with Path(__file__).open() as file:
        if connections > CROWD:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def overtaken(
    *,
    call: Callable[[], T],
    by: Callable[[], object],
    then: Callable[[], object] = lambda: None,
    in_vain: bool = False,
) -> T:
    """The result of `call` when `by` writes the same row between its read and its write.

    `by` writes in a transaction that commits only once `call`, which cannot see that write yet,
    waits for the row; if `in_vain`, it rolls back then. `then` runs just before.
    """
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            by()
            late = pool.submit(and_disconnect, call)
            wait_until(lambda: late.done() or waiting_for_locks() == 1)
            assert not late.done(), late.result()
            then()
            transaction.set_rollback(in_vain)
        return late.result()


def and_disconnect(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        connections.close_all()


def wait_until(true: Callable[[], bool]) -> None:
    """Check that it becomes true: TimeoutError fails the test if it does not."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not become true in time")
        time.sleep(0.005)


def waiting_for_locks() -> int:
    """How many connections to this database wait for a lock that another one holds."""
    with connection.cursor() as cursor:
        # Not pg_stat_activity, which shows the same throughout a transaction. Other databases of
        # the server have tests too, and who waits for a row is known only by what else it holds.
        cursor.execute(
            "SELECT count(DISTINCT waiting.pid) FROM pg_locks waiting"
            " JOIN pg_locks held USING (pid) JOIN pg_database ON pg_database.oid = held.database"
            " WHERE NOT waiting.granted AND pg_database.datname = current_database()"
        )
        count: int = cursor.fetchone()[0]
    return count
