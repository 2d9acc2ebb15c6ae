"""Nested fences: one entry before all writes, and one exit after the commit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction

from fido.lib.cache.versioned_cache import write_fence
from tests.fences import Step, steps, writer_stands
from tests.races import and_disconnect, at_once

__all__ = ["steps"]  # a fixture

ADA, BEN = 1, 2
ONCE_AROUND = [("enter", ADA, False), ("leave", ADA, False)]

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_outer_one_begins_before_and_ends_after_the_transaction(steps: list[Step]) -> None:
    with write_fence(ADA), transaction.atomic():
        for _ in range(2):
            with write_fence(ADA), transaction.atomic():
                assert writer_stands(ADA)
        assert writer_stands(ADA)

    assert steps == ONCE_AROUND
    assert not writer_stands(ADA)


def test_a_rollback_inside_leaves_no_writer_standing(steps: list[Step]) -> None:
    def write_and_fail() -> None:
        with write_fence(ADA), transaction.atomic():
            with write_fence(ADA):
                pass
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_and_fail()

    assert steps == ONCE_AROUND
    assert not writer_stands(ADA)


def run_in_a_fence(*statements: str) -> None:
    with write_fence(ADA), transaction.atomic(), connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


def test_a_write_that_another_one_was_in_the_way_of_is_over() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")

    def wait() -> None:
        run_in_a_fence("SET LOCAL lock_timeout = '50ms'", "SELECT pg_advisory_xact_lock(1)")

    try:
        with ThreadPoolExecutor(1) as pool, pytest.raises(OperationalError, match="lock timeout"):
            pool.submit(and_disconnect, wait).result()
    finally:
        connection.close()

    assert not writer_stands(ADA)


@pytest.mark.parametrize(
    "sql",
    ["SET LOCAL statement_timeout = '50ms'", "SELECT pg_terminate_backend(pg_backend_pid())"],
)
def test_any_other_error_of_the_database_leaves_the_writer(sql: str) -> None:
    with pytest.raises(OperationalError, match=r"timeout|terminating"):
        run_in_a_fence(sql, "SELECT pg_sleep(60)")
    connection.close()

    assert writer_stands(ADA)


def test_another_users_is_its_own(steps: list[Step]) -> None:
    with write_fence(ADA), write_fence(BEN):
        assert [writer_stands(user_id) for user_id in (ADA, BEN)] == [True, True]

    assert [(step, user_id) for step, user_id, _ in steps] == [
        ("enter", ADA),
        ("enter", BEN),
        ("leave", BEN),
        ("leave", ADA),
    ]


def test_one_after_the_other_are_two(steps: list[Step]) -> None:
    for _ in range(2):
        with write_fence(ADA):
            pass

    assert steps == ONCE_AROUND * 2


def test_another_threads_is_its_own(steps: list[Step]) -> None:
    def write() -> None:
        with write_fence(ADA):
            assert writer_stands(ADA)

    with write_fence(ADA):
        at_once(write, write)
        assert writer_stands(ADA)

    assert [step for step, *_ in steps].count("enter") == 3
    assert not writer_stands(ADA)
