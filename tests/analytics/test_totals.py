"""Append and fold: the same sums, in whatever order things happen."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from analytics import operations, queries, tasks
from analytics.models import DailyTotals
from fido.lib.values.clock import Period
from fido.lib.values.ids import new_id
from tests.factories import UserFactory, record
from tests.movements import (
    FIRST_DAY,
    FoldingThread,
    Movements,
    assert_exact,
    in_threads,
    recomputed,
)
from tests.queue import waiting
from tests.races import at_once
from transactions import operations as writes
from transactions.models import Transaction


@pytest.fixture
def user(db: None) -> User:
    return UserFactory.create()


def totals(user: User) -> list[tuple[bool, int, Decimal, Decimal]]:
    rows = DailyTotals.objects.filter(user=user).order_by("id")
    return list(rows.values_list("pending", "count", "credit", "debit"))


def test_a_write_appends_one_pending_row(user: User) -> None:
    record(user, transaction_amount=Decimal("19.99"), transaction_type="debit")

    assert totals(user) == [(True, 1, Decimal(0), Decimal("19.99"))]


def test_an_edit_takes_back_the_old_and_adds_the_new(user: User) -> None:
    row = record(user, transaction_amount=Decimal("10.00"))

    writes.amend(row=row, changes={"transaction_amount": Decimal("12.50")})

    assert totals(user)[1:] == [(True, 0, Decimal("2.50"), Decimal(0))]


def test_an_edit_that_moves_no_money_appends_nothing(user: User) -> None:
    row = record(user)

    writes.amend(row=row, changes={"full_name": "Somebody Else"})

    assert len(totals(user)) == 1


def test_a_delete_appends_the_opposite(user: User) -> None:
    writes.delete(row=record(user))

    assert totals(user)[1:] == [(True, -1, Decimal("-10.00"), Decimal(0))]
    assert queries.summary(user_id=user.pk, period=Period()) == recomputed(user, [])


def test_a_rolled_back_write_leaves_no_total(user: User) -> None:
    with transaction.atomic():
        record(user)
        transaction.set_rollback(True)

    assert totals(user) == []


def test_a_write_whose_totals_cannot_be_appended_does_not_happen(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE analytics_dailytotals ADD CONSTRAINT refuse CHECK (credit < 5) NOT VALID"
        )

    with pytest.raises(IntegrityError), transaction.atomic():
        record(user, transaction_amount=Decimal("10.00"))

    assert not Transaction.objects.exists()


def test_a_fold_leaves_one_row_a_day_and_the_same_answer(user: User) -> None:
    for hours in (1, 2, 30):
        record(user, transaction_date=FIRST_DAY + timedelta(hours=hours))
    before = queries.summary(user_id=user.pk, period=Period())

    operations.fold([user.pk])
    operations.fold([user.pk])

    assert [row[:2] for row in totals(user)] == [(False, 2), (False, 1)]
    assert queries.summary(user_id=user.pk, period=Period()) == before


def test_a_fold_adds_to_what_was_folded_before(user: User) -> None:
    record(user)
    operations.fold([user.pk])
    record(user)

    operations.fold([user.pk])

    assert totals(user) == [(False, 2, Decimal("20.00"), Decimal(0))]


def test_a_fold_touches_nobody_else(user: User) -> None:
    other = UserFactory.create()
    record(other)

    operations.fold([user.pk])

    assert [row[0] for row in totals(other)] == [True]


def test_the_sweep_folds_for_everybody_with_something_pending(user: User) -> None:
    users = [user, *UserFactory.create_batch(2)]
    for each in users:
        record(each)

    assert operations.fold_everybody()

    assert [row[0] for each in users for row in totals(each)] == [False] * 3


def test_a_sweep_visits_each_user_once_however_many_there_are(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "USERS_AT_ONCE", 2)
    folded, fold = list[int](), operations.fold
    users = [user, *UserFactory.create_batch(4)]
    for each in users:
        record(each)

    def folding(user_ids: list[int]) -> bool:
        record(user)  # writes keep coming
        folded.extend(user_ids)
        return fold(user_ids)

    monkeypatch.setattr(operations, "fold", folding)
    assert operations.fold_everybody()

    assert folded == [each.pk for each in users]


def test_statements_of_a_fold_do_not_grow_with_its_users(user: User) -> None:
    assert statements_to_fold(2) == statements_to_fold(64) == 2


def statements_to_fold(count: int) -> int:
    for each in UserFactory.create_batch(count):
        record(each)
    with CaptureQueriesContext(connection) as statements:
        operations.fold_everybody()
    assert not DailyTotals.objects.filter(pending=True).exists()
    return len(statements)


@pytest.mark.django_db(transaction=True)
def test_a_fold_does_not_wait_for_another_one_and_is_asked_for_again() -> None:
    user = UserFactory.create()
    record(user)
    get_redis_connection().flushdb()

    with transaction.atomic():
        assert operations.fold([user.pk])
        at_once(tasks.fold_totals)
    assert waiting("totals") == 1
    record(user)
    tasks.fold_totals()

    assert [row[:2] for row in totals(user)] == [(False, 2)]


@pytest.mark.django_db(transaction=True)
def test_a_user_whose_fold_fails_delays_nobody(caplog: pytest.LogCaptureFixture) -> None:
    users = UserFactory.create_batch(3)
    for each in users:
        record(each)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE analytics_dailytotals ADD CONSTRAINT refuse"
            f" CHECK (pending OR user_id <> {users[1].pk})"
        )
    try:
        assert operations.fold_everybody()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE analytics_dailytotals DROP CONSTRAINT refuse")

    assert [row[0] for each in users for row in totals(each)] == [False, True, False]
    assert f"A job for users {users[1].pk} to {users[1].pk} failed." in caplog.text


def test_a_second_folded_row_of_a_day_is_refused_by_the_database(user: User) -> None:
    record(user)
    operations.fold([user.pk])
    row = DailyTotals.objects.get()

    row.pk = new_id()
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_a_billion_of_the_largest_amounts_fit_the_columns(user: User) -> None:
    largest = Decimal("999999999999.99")
    row = DailyTotals(user=user, day=FIRST_DAY.date(), currency="USD", count=10**9)
    row.credit = row.debit = largest * 10**9
    row.save()
    DailyTotals(
        user=user, day=FIRST_DAY.date(), currency="USD", count=1, credit=largest, debit=Decimal(0)
    ).save()

    operations.fold([user.pk])

    line = queries.summary(user_id=user.pk, period=Period()).lines[0]  # type: ignore[union-attr]
    assert (line.count, line.credit) == (10**9 + 1, largest * (10**9 + 1))


moments = st.integers(0, 5 * 24 * 3600).map(lambda s: FIRST_DAY + timedelta(seconds=s))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    dates=st.lists(moments, max_size=8),
    bounds=st.tuples(st.none() | moments, st.none() | moments),
    folded=st.booleans(),
)
def test_any_period_equals_a_recomputation(
    user: User,
    dates: list[datetime],
    bounds: tuple[datetime | None, datetime | None],
    folded: bool,
) -> None:
    if bounds[0] and bounds[1]:
        bounds = (min(bounds), max(bounds))  # type: ignore[type-var]
    period = Period(*bounds)
    with transaction.atomic():
        for number, date in enumerate(dates):
            kind = "credit" if number % 2 else "debit"
            record(user, transaction_date=date, transaction_type=kind)
        if folded:
            operations.fold([user.pk])

        rows = list(Transaction.objects.filter(user=user).within(period))
        expected = recomputed(user, rows)
        summary = queries.summary(user_id=user.pk, period=period)
        series = queries.series(user_id=user.pk, period=period, interval="day")
        transaction.set_rollback(True)

    assert summary == expected
    assert sum(line.count for day in series.values() for line in day) == len(rows)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**9), folds=st.sets(st.integers(0, 24)))
def test_any_history_of_writes_and_folds_is_exact(user: User, seed: int, folds: set[int]) -> None:
    with transaction.atomic():
        movements = Movements([user], seed)
        for step in range(25):
            movements.step()
            if step in folds:
                operations.fold([user.pk])
        rows = list(Transaction.objects.filter(user=user))
        answered = queries.summary(user_id=user.pk, period=Period())
        differences = queries.differences([user.pk])
        transaction.set_rollback(True)

    assert answered == recomputed(user, rows)
    assert differences == []


@pytest.mark.django_db(transaction=True)
def test_writers_and_folders_at_once_stay_exact() -> None:
    users = UserFactory.create_batch(3)
    folders = [FoldingThread(users) for _ in range(2)]

    for folder in folders:
        folder.start()
    in_threads(users, threads=4, steps=400, seed=3)
    for folder in folders:
        folder.stop.set()
        folder.join()

    assert min(folder.folds for folder in folders) > 0
    assert queries.differences([each.pk for each in users]) == []
    for user in users:
        assert_exact(user)


@pytest.mark.django_db(transaction=True)
def test_two_edits_of_one_row_at_once_take_back_the_true_old_value() -> None:
    user = UserFactory.create()
    row = record(user, transaction_amount=Decimal("1.00"))
    start = Barrier(8)

    def edit(number: int) -> None:
        try:
            start.wait()
            writes.amend(row=row, changes={"transaction_amount": Decimal(10 + number)})
        finally:
            connections.close_all()

    threads = [Thread(target=edit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Transaction.objects.get().version == 9
    assert_exact(user)


def test_a_moment_given_with_an_offset_counts_on_its_utc_day(user: User) -> None:
    east = timezone(timedelta(hours=5))
    row = record(user, transaction_date=datetime(2026, 2, 1, 3, tzinfo=east))

    writes.amend(row=row, changes={"transaction_date": datetime(2026, 2, 2, 3, tzinfo=east)})

    assert queries.differences([user.pk]) == []


def test_a_day_is_the_utc_day_of_the_moment(user: User) -> None:
    record(user, transaction_date=datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC))
    record(user, transaction_date=datetime(2026, 2, 1, tzinfo=UTC))

    days = DailyTotals.objects.order_by("day").values_list("day", flat=True)
    assert [day.isoformat() for day in days] == ["2026-01-31", "2026-02-01"]
