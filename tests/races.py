"""Real threads on one PostgreSQL: all at once, or one paused in the middle of its write."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection, connections, transaction

T = TypeVar("T")
DEADLINE_SECONDS = 20


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Run each call in its own thread, all released together; return their results in order."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        connection.ensure_connection()  # so that connecting does not spread them out
        barrier.wait(DEADLINE_SECONDS)
        return and_disconnect(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


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
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not become true in time")
        time.sleep(0.005)


def waiting_for_locks() -> int:
    """How many connections wait for a lock that another one holds."""
    with connection.cursor() as cursor:
        # Not pg_stat_activity, which stays the same throughout a transaction.
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        count: int = cursor.fetchone()[0]
    return count
