"""Whose turn it is: recent writers first, and everybody in time. A round ends by the clock."""

import pytest
from django.db.models import F, Min

from accounts.models import User
from analytics.checks import operations, queries
from analytics.checks.models import CheckedRange
from analytics.models import RecentWriter
from analytics.operations import fold_everybody
from fido.lib.values import clock
from tests.factories import UserFactory, record

pytestmark = pytest.mark.django_db
A_LOT = 10_000


@pytest.fixture
def five(db: None, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setattr(operations, "USERS_AT_ONCE", 2)
    return [each.pk for each in UserFactory.create_batch(5)]


def write(*user_ids: int) -> None:
    for user_id in user_ids:
        record(User.objects.get(pk=user_id))
        fold_everybody()


def ranges() -> list[int]:
    return list(CheckedRange.objects.order_by("pk").values_list("pk", flat=True))


def test_a_first_round_checks_everybody_once(five: list[int], checked: list[int]) -> None:
    operations.run_round(seconds=A_LOT)

    assert checked == five
    assert ranges() == [five[1], five[3], five[4]]


def test_later_rounds_go_on_by_a_turn_each(five: list[int], checked: list[int]) -> None:
    operations.run_round(seconds=A_LOT)
    checked.clear()

    for _ in range(4):
        operations.run_round(seconds=A_LOT)

    assert checked == [*five, *five[:2]]
    assert ranges() == [five[1], five[3], five[4]]


def test_who_is_due_is_checked_in_the_same_round(five: list[int], checked: list[int]) -> None:
    operations.run_round(seconds=A_LOT)
    checked.clear()
    CheckedRange.objects.update(checked_at=F("checked_at") - queries.DUE_AFTER)

    operations.run_round(seconds=A_LOT)

    assert checked == five


def test_a_round_that_ends_early_goes_on_where_it_ended(
    five: list[int], checked: list[int]
) -> None:
    for _ in range(20):
        operations.run_round(seconds=5)  # the clock moves when it is asked

    assert checked[:15] == five * 3
    assert len(checked) < 20 * 5


def test_who_registers_is_checked_before_the_first_ones_again(
    five: list[int], checked: list[int]
) -> None:
    operations.run_round(seconds=A_LOT)
    new = UserFactory.create().pk
    checked.clear()

    operations.run_round(seconds=A_LOT)

    assert checked == [new]


def test_the_oldest_check_is_of_whoever_is_next(five: list[int], checked: list[int]) -> None:
    began = clock.now()
    operations.run_round(seconds=A_LOT)
    first, second, third = CheckedRange.objects.order_by("checked_at")

    operations.run_round(seconds=A_LOT)

    assert began < first.checked_at < second.checked_at < third.checked_at
    assert queries.state().oldest == second.checked_at
    assert (turn := queries.next_turn(2))
    assert (turn.user_ids, turn.checked_at) == (five[2:4], second.checked_at)


def test_users_who_were_deleted_by_hand_do_not_stay_the_oldest(
    five: list[int], checked: list[int]
) -> None:
    operations.run_round(seconds=A_LOT)
    User.objects.filter(pk=five[4]).delete()
    long_ago = CheckedRange.objects.aggregate(latest=Min("checked_at"))["latest"]

    for _ in range(3):
        operations.run_round(seconds=A_LOT)

    assert ranges() == [five[1], five[3]]
    assert queries.state().oldest > long_ago


def test_the_latest_writers_come_first_and_once(five: list[int], checked: list[int]) -> None:
    write(five[3], five[1], five[3], five[4])

    operations.run_round(seconds=A_LOT)

    assert checked == [five[4], five[1], five[3], *five]
    assert not RecentWriter.objects.exists()


def test_a_write_after_the_check_is_checked_again(five: list[int], checked: list[int]) -> None:
    write(five[4])
    operations.run_round(seconds=A_LOT)
    write(five[4])
    checked.clear()

    operations.run_round(seconds=A_LOT)

    assert checked == [five[4], *five[:2]]


def test_a_write_during_the_check_is_checked_again(
    five: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(five[4])
    meanwhile = [five[4]]

    def check(user_id: int) -> None:
        if meanwhile:
            write(meanwhile.pop())

    monkeypatch.setattr(operations, "check", check)

    operations.run_round(seconds=A_LOT)

    assert queries.recent_writers(A_LOT) == [five[4]]


def test_writers_leave_half_of_the_time_to_others(five: list[int], checked: list[int]) -> None:
    write(*five)

    operations.run_round(seconds=6)

    assert checked == [five[4], five[3], five[0]]
    assert RecentWriter.objects.count() == 3
    assert ranges() == [five[0]]


def test_without_users_there_is_nothing_to_do(db: None) -> None:
    operations.run_round(seconds=A_LOT)

    assert queries.state().latest is None
    assert queries.state().is_late
