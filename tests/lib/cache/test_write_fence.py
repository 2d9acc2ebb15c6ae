"""Nested fences: one entry before all writes, and one exit after the commit."""

import pytest
from django.db import transaction

from fido.lib.cache.versioned_cache import write_fence
from tests.fences import Step, steps, writer_stands
from tests.races import at_once

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
