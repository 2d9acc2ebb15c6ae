"""The background checks transactions of every route, once each, whatever fails."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError
from prometheus_client import REGISTRY

from accounts.models import User
from analytics.alerts import operations, queries
from analytics.alerts.models import Alert, PendingCheck, Rule
from tests.alerts import (
    START,
    alerts_of,
    body,
    check_all,
    codes,
    naively,
    random_stream,
    recorded,
    stream,
)
from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.imports import csv, imported
from transactions import operations as transactions
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user(db: None) -> User:
    return UserFactory.create()


def test_live_and_in_the_background_codes_are_those_of_the_contract() -> None:
    rules, seen = queries.active_rules(), set[int]()
    for seed in range(40):
        later, live = UserFactory.create(), UserFactory.create()
        at_its_time = {}
        for event in random_stream(seed):
            recorded(later, event)
            row = recorded(live, event)
            raised = operations.alerts_of([queries.recorded(row)], rules)
            at_its_time[str(row.pk)] = [alert.code for alert in raised]
        check_all(later)
        assert alerts_of(later) == naively(later)
        assert {k: v for k, v in at_its_time.items() if v} == naively(live)
        seen |= set(codes(later))
    assert seen == {30, 123, 300, 1100}
    assert not PendingCheck.objects.filter(user_id=later.pk).exists()


def test_single_and_bulk_and_import_are_checked_alike(ada: ApiClient) -> None:
    events = stream("+1@0 +2@1 +3@2 -100.01@3 -1@4 -1@5 +199@40 +1.01@70 -5@71")
    assert ada.user
    ada.post("/transactions", body(events[0]))
    ada.post("/transactions/bulk", [body(event) for event in events[1:4]])
    lines = [
        f"{e.at.isoformat()},{e.amount},{'credit' if e.is_deposit else 'debit'}" for e in events[4:]
    ]
    imported(ada, csv(*lines))
    assert PendingCheck.objects.filter(user_id=ada.user_id).count() == 3

    check_all(ada.user)

    found = alerts_of(ada.user)
    assert found == naively(ada.user)
    assert sorted(code for each in found.values() for code in each) == [
        30,
        123,
        *[300] * 5,
        1100,
    ]


def test_a_large_import_is_checked_in_steps_and_only_its_own_rows(
    ada: ApiClient, small_steps: None
) -> None:
    assert ada.user
    chance = random.Random(1)
    for event in stream("-500@0 +1@60 +2@61 +300@3600"):
        recorded(ada.user, event)
    PendingCheck.objects.filter(user_id=ada.user_id).delete()  # as if they had been checked
    old = {str(pk) for pk in Transaction.objects.values_list("pk", flat=True)}
    lines = []
    for _ in range(150):
        at = START + timedelta(seconds=chance.randrange(4000))
        amount, kind = chance.choice(["40", "70.5", "100.01"]), chance.choice(["credit", "debit"])
        lines.append(f"{at.isoformat()},{amount},{kind},{chance.choice(['USD', 'EUR'])}")
    header = "transaction_date,transaction_amount,transaction_type,currency"
    imported(ada, csv(*lines, header=header))
    Rule.objects.create(code=30, kind="only-withdrawals", currency="EUR", position=30)

    check_all(ada.user)

    of_euro = {k: [30] for k, v in naively(ada.user, "EUR").items() if 30 in v}
    expected = {k: v for k, v in naively(ada.user).items() if k not in old} | of_euro
    assert alerts_of(ada.user) == expected
    assert len(of_euro) > 3
    assert {code for each in expected.values() for code in each} == {30, 123, 300, 1100}


@pytest.mark.parametrize("few", [100, 2], ids=["one by one", "in a round"])
def test_velocity_is_raised_in_the_background(
    ada: ApiClient, small_steps: None, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(operations, "FEW", few)
    parameters = {"count": 10, "seconds": 3600, "type": "withdrawal"}
    Rule.objects.update(enabled=False)
    Rule.objects.create(code=8, kind="velocity", parameters=parameters)
    assert ada.user
    of_midnight = ["2026-01-31,1,debit", "2026-01-31,1,credit"] * 10
    imported(ada, csv(*of_midnight, *["2026-01-31T01:00,1,debit"] * 5))

    check_all(ada.user)

    rows = Transaction.objects.filter(user=ada.user).order_by("transaction_date", "id")
    debits = [str(row.pk) for row in rows if row.transaction_type == "debit"]
    assert alerts_of(ada.user) == {id_: [8] for id_ in debits[10:]}


def test_a_transaction_of_the_first_day_that_there_is_is_checked(user: User) -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    for _ in range(3):
        record(user, transaction_date=first, transaction_amount=Decimal(101))

    check_all(user)

    assert codes(user) == [123, 123]


def test_a_step_ends_by_the_clock_and_not_before(
    ada: ApiClient, small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ada.user
    imported(ada, csv(*["2026-01-31,101,debit"] * 30, "2026-02-01,1,credit"))
    stored = []
    for seconds in (0, 0, 300):
        monkeypatch.setattr(operations, "STEP_SECONDS", seconds)
        operations.check_some(ada.user_id)
        stored.append(Alert.objects.filter(user=ada.user).count())

    # Each of the first two raises 1100, and each later one 30 as well.
    assert stored == [12, 26, 58]
    assert not PendingCheck.objects.exists()
    assert alerts_of(ada.user) == naively(ada.user)


def test_a_million_rows_leave_a_small_mark(ada: ApiClient) -> None:
    imported(ada, csv(*["2026-01-31,1,credit"] * 6000))

    assert PendingCheck.objects.filter(user_id=ada.user_id).count() == 2  # one per batch of 5,000


def test_what_is_marked_during_a_round_waits_for_the_next_one(
    ada: ApiClient, small_steps: None
) -> None:
    assert ada.user
    imported(ada, csv(*["2026-01-31,100.01,debit"] * 20))
    operations.check_some(ada.user_id)
    imported(ada, csv(*["2026-01-01,100.01,debit"] * 20))
    operations.check_some(ada.user_id)

    places = PendingCheck.objects.filter(user_id=ada.user_id).order_by("id")
    assert [each.after_currency for each in places] == ["USD", ""]
    check_all(ada.user)
    assert codes(ada.user).count(1100) == 40


def test_a_mark_that_was_left_behind_loses_nothing_to_those_ahead(
    ada: ApiClient, small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ada.user
    for _ in range(2):
        imported(ada, csv(*["2026-01-31,100.01,debit"] * 10))
    operations.check_some(ada.user_id)
    # As when marks of a lower id push one of the round out of sight, and then are gone.
    with monkeypatch.context() as patch:
        patch.setattr(operations, "MARKS", 1)
        operations.check_some(ada.user_id)

    check_all(ada.user)

    assert codes(ada.user).count(1100) == 20


def test_a_deleted_transaction_is_not_checked_and_an_alert_outlives_its_transaction(
    user: User,
) -> None:
    gone, stays = (recorded(user, event) for event in stream("-500@0 -500@1"))
    transactions.delete(row=gone)
    check_all(user)
    assert alerts_of(user) == {str(stays.pk): [1100]}

    transactions.delete(row=stays)

    alert = Alert.objects.get(user_id=user.pk)
    assert (alert.transaction_id, alert.time) == (stays.pk, stays.transaction_date)


def test_an_edit_is_not_checked_again(user: User) -> None:
    row = record(user, transaction_type="debit", transaction_amount=Decimal(50))
    check_all(user)

    transactions.amend(row=row, changes={"transaction_amount": Decimal(500)})
    check_all(user)

    assert codes(user) == []


def test_an_edit_before_the_check_is_checked_as_it_stands(user: User) -> None:
    row = record(user, transaction_type="debit", transaction_amount=Decimal(50))

    transactions.amend(row=row, changes={"transaction_amount": Decimal(500)})
    check_all(user)

    assert codes(user) == [1100]


def test_what_moves_behind_a_round_under_way_is_checked_all_the_same(
    ada: ApiClient, small_steps: None
) -> None:
    assert ada.user
    imported(ada, csv(*["2026-01-31,1,credit"] * 20, "2026-02-01,500,debit"))
    operations.check_some(ada.user_id)
    last = Transaction.objects.get(user=ada.user, transaction_type="debit")

    transactions.amend(row=last, changes={"transaction_date": START - timedelta(days=9)})
    check_all(ada.user)

    assert alerts_of(ada.user) == {str(last.pk): [1100]}


def test_what_is_looked_at_twice_raises_once(ada: ApiClient, small_steps: None) -> None:
    assert ada.user
    imported(ada, csv(*["2026-01-31,1,credit"] * 20, "2026-02-01,500,debit"))
    last = Transaction.objects.get(user=ada.user, transaction_type="debit")
    transactions.amend(row=last, changes={"transaction_date": datetime(2026, 2, 1, 6, tzinfo=UTC)})
    assert PendingCheck.objects.filter(user_id=ada.user_id).count() == 2

    # By its own mark, and then within the import's.
    check_all(ada.user)

    assert alerts_of(ada.user) == {str(last.pk): [1100]}


def test_what_two_marks_stand_for_is_looked_at_once(user: User) -> None:
    for event in stream("+1@0 -1@1"):
        recorded(user, event)
    check_all(user)
    row = recorded(user, stream("-1@2")[0])
    transactions.amend(row=row, changes={"transaction_date": START + timedelta(seconds=3)})
    assert PendingCheck.objects.filter(user_id=user.pk).count() == 2

    while operations.check_some(user.pk).more:
        pass

    assert alerts_of(user) == naively(user) == {}


@pytest.mark.parametrize("size", [1, 60], ids=["few", "many"])
def test_alerts_are_counted_by_code_once_they_are_stored(
    ada: ApiClient, small_steps: None, size: int
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("fido_alerts_total", {"code": "1100"}) or 0

    assert ada.user
    before = counted()
    imported(ada, csv(*["2026-01-31,101,debit"] * size))
    check_all(ada.user)

    assert counted() - before == size
    with pytest.raises(IntegrityError):
        Rule.objects.filter(code=1100).update(code=10_000)


FAR_APART = "-1@5.5 +500@9.5 -1@9.6 -200@9999"


@pytest.mark.parametrize("newest", [6, 2, 1])
def test_what_lies_between_those_checked_together_counts(
    user: User, monkeypatch: pytest.MonkeyPatch, newest: int
) -> None:
    monkeypatch.setattr(queries, "NEWEST", newest)
    for event in stream(" ".join(f"{'+-'[n % 3 > 0]}{n + 1}@{n}" for n in range(20))):
        recorded(user, event)
    check_all(user)
    Alert.objects.all().delete()
    later = [str(recorded(user, event).pk) for event in stream(FAR_APART)]

    check_all(user)

    expected = naively(user)
    assert alerts_of(user) == {id_: expected[id_] for id_ in later if id_ in expected}
    assert sorted(codes(user)) == [30, 123, 123, 300, 300, 300, 1100]


def test_two_users_interleaved_are_two_streams() -> None:
    one, other = UserFactory.create(), UserFactory.create()
    for n, event in enumerate(stream("+101@0 +101@1 -1@2 -1@3 -1@4 -1@5 +5@6 +6@7 +7@8")):
        recorded((one, other)[n % 2], event)

    for user in (one, other):
        check_all(user)

    assert (codes(one), codes(other)) == ([], [])
    assert alerts_of(one) == naively(one)
