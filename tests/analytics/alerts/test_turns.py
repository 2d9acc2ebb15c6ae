"""The background checks everybody: many users at once, and nobody waits for a long import."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from accounts.models import User
from analytics.alerts import operations, queries, tasks, turns
from analytics.alerts.models import Alert, PendingCheck
from analytics.alerts.operations import Left, NewAlert
from analytics.alerts.queries import Recorded
from tests.alerts import alerts_of, naively, random_stream, recorded
from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.imports import csv, imported
from tests.queue import waiting
from tests.races import at_once
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 60


def withdraw(user: User, amount: int = 101) -> Transaction:
    return record(user, transaction_type="debit", transaction_amount=Decimal(amount))


def importer(rows: int) -> User:
    """A user with that many imported withdrawals, to be checked in steps."""
    client = ApiClient(UserFactory.create())
    imported(client, csv(*["2026-01-31,101,debit"] * rows))
    assert client.user
    return client.user


def pending(user: User) -> int:
    return PendingCheck.objects.filter(user_id=user.pk).count()


def drawn_streams(count: int) -> list[User]:
    """Users whose streams were recorded all at one time, one event of each after another."""
    users = UserFactory.create_batch(count)
    streams = [random_stream(seed) for seed in range(count)]
    for place in range(max(map(len, streams))):
        for user, events in zip(users, streams, strict=True):
            if place < len(events):
                recorded(user, events[place])
    return users


@pytest.mark.parametrize(
    ("newest", "first_page"), [(6, 50), (1, 1)], ids=["one page", "many pages"]
)
def test_many_users_get_the_alerts_of_each_alone(
    monkeypatch: pytest.MonkeyPatch, newest: int, first_page: int
) -> None:
    monkeypatch.setattr(queries, "NEWEST", newest)
    monkeypatch.setattr(queries, "FIRST_PAGE", first_page)
    monkeypatch.setattr(turns, "USERS_AT_ONCE", 7)
    monkeypatch.setattr(operations, "OF_ALL", 10)
    users = drawn_streams(30)

    assert not turns.check_everybody(seconds=PATIENCE)

    found = [alerts_of(user) for user in users]
    assert found == [naively(user) for user in users]
    codes = {code for each in found for raised in each.values() for code in raised}
    assert codes == {30, 123, 300, 1100}
    assert not PendingCheck.objects.exists()


def test_statements_of_a_check_do_not_grow_with_its_users() -> None:
    statements_to_check(1)
    assert statements_to_check(2) == statements_to_check(64) <= 10


def statements_to_check(count: int) -> int:
    """Of users with three transactions before the one that is checked, which raises nothing."""
    users = UserFactory.create_batch(count)
    for _ in range(3):
        for user in users:
            record(user)
    turns.check_everybody(seconds=PATIENCE)
    for user in users:
        record(user)
    with CaptureQueriesContext(connection) as statements:
        turns.check_everybody(seconds=PATIENCE)
    assert not PendingCheck.objects.exists()
    return len(statements)


def test_a_long_import_delays_the_others_by_one_step(
    small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    big, other = importer(60), UserFactory.create()
    waiting, check_some = list[int](), operations.check_some

    def step(user_id: int, **options: Any) -> Left:
        waiting.append(pending(other))
        left = check_some(user_id, **options)
        withdraw(other)
        return left

    monkeypatch.setattr(operations, "check_some", step)
    assert not turns.check_everybody(seconds=PATIENCE)

    assert waiting == [0] * len(waiting)
    assert len(waiting) > 60 // 7
    assert alerts_of(big) == naively(big)
    assert alerts_of(other) == naively(other)


def test_users_with_imports_take_turns(small_steps: None, monkeypatch: pytest.MonkeyPatch) -> None:
    big, bigger = importer(30), importer(40)
    stepped, check_some = list[int](), operations.check_some

    def step(user_id: int, **options: Any) -> Left:
        stepped.append(user_id)
        return check_some(user_id, **options)

    monkeypatch.setattr(operations, "check_some", step)
    assert not turns.check_everybody(seconds=PATIENCE)

    assert stepped[:8] == [big.pk, bigger.pk] * 4
    assert (alerts_of(big), alerts_of(bigger)) == (naively(big), naively(bigger))


def test_a_user_whom_another_worker_is_at_is_skipped_and_asked_for_again() -> None:
    taken, free = UserFactory.create_batch(2)
    for user in (taken, free):
        withdraw(user)
    get_redis_connection().flushdb()

    with transaction.atomic():
        assert operations.check_few([taken.pk]) == Left()
        at_once(tasks.check)
        assert pending(free) == 0
        transaction.set_rollback(True)

    assert (pending(taken), Alert.objects.get().user_id) == (1, free.pk)
    assert waiting("alerts") == 1
    tasks.check()
    assert alerts_of(taken) == naively(taken)


def test_a_step_of_another_worker_is_not_waited_for(small_steps: None) -> None:
    big = importer(20)

    with transaction.atomic():
        assert operations.check_some(big.pk).more
        (more,) = at_once(lambda: turns.check_everybody(seconds=PATIENCE))

    assert more
    assert not turns.check_everybody(seconds=PATIENCE)
    assert alerts_of(big) == naively(big)


def test_jobs_at_once_check_each_transaction_once(
    small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "USERS_AT_ONCE", 3)
    users = [importer(20), *drawn_streams(12)]
    checked, check_each = list[Any](), operations.alerts_of

    def watched(rows: list[Recorded], rules: Any) -> list[NewAlert]:
        checked.extend(row.event.id for row in rows)
        return check_each(rows, rules)

    monkeypatch.setattr(operations, "alerts_of", watched)
    while any(at_once(*[lambda: turns.check_everybody(seconds=PATIENCE)] * 4)):
        pass

    assert len(checked) == len(set(checked)) == Transaction.objects.count() - 20
    assert [alerts_of(user) for user in users] == [naively(user) for user in users]


def test_a_job_whose_time_is_over_asks_for_another_one(
    small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = importer(40)
    get_redis_connection().flushdb()
    monkeypatch.setattr(tasks, "TURN_SECONDS", 0.0001)

    tasks.check()

    assert pending(big) == 1
    assert waiting("alerts") == 1


def test_a_user_whose_check_fails_delays_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    users = UserFactory.create_batch(3)
    for user in users:
        withdraw(user)
    alerts = operations.alerts_of

    def failing(rows: list[Recorded], rules: Any) -> list[NewAlert]:
        if any(row.user_id == users[1].pk for row in rows):
            raise RuntimeError("no such rule")
        return alerts(rows, rules)

    with monkeypatch.context() as patch:
        patch.setattr(operations, "alerts_of", failing)
        assert not turns.check_everybody(seconds=PATIENCE)

    assert [pending(user) for user in users] == [0, 1, 0]
    assert f"A job for users {users[1].pk} to {users[1].pk} failed." in caplog.text
    turns.check_everybody(seconds=PATIENCE)
    assert [alerts_of(user) for user in users] == [naively(user) for user in users]


class Killed(BaseException):
    """As if a process ended in the middle."""


@pytest.mark.parametrize("where", ["_delete", "store"])
def test_a_check_of_many_that_is_broken_off_loses_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    users = drawn_streams(5)
    do: Any = getattr(operations, where)

    def broken(*args: Any) -> None:
        do(*args)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(operations, where, broken)
        with pytest.raises(Killed):
            turns.check_everybody(seconds=PATIENCE)
    assert not Alert.objects.exists()
    turns.check_everybody(seconds=PATIENCE)

    assert [alerts_of(user) for user in users] == [naively(user) for user in users]
