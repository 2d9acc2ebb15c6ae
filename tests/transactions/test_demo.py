"""The demonstration: plausible, repeatable, and loaded completely or not at all."""

from collections import Counter
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import User
from analytics import operations as totals
from analytics.models import DailyTotals
from fido.lib.values import clock, money
from tests.factories import UserFactory
from transactions import demo, operations
from transactions.models import Transaction
from transactions.operations import Draft

UNTIL = datetime(2026, 6, 15, 18, tzinfo=UTC)
PASSWORD = "a password of no dictionary"


@pytest.fixture(scope="module")
def histories() -> dict[str, list[Draft]]:
    return {person.username: demo.history(person, UNTIL) for person in demo.PEOPLE}


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FIDO_DEMO_PASSWORD", PASSWORD)
    return PASSWORD


@pytest.fixture
def a_month_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests where one month is as good as two years."""
    monkeypatch.setattr(demo, "DAYS", 30)


def load_demo(*options: str) -> str:
    out = StringIO()
    call_command("load_demo", *options, until=UNTIL, stdout=out)
    return out.getvalue().strip()


def as_draft(row: Transaction) -> Draft:
    return Draft(**{field.name: getattr(row, field.name) for field in fields(Draft)})


def test_the_same_end_gives_the_same_histories(histories: dict[str, list[Draft]]) -> None:
    again = {person.username: demo.history(person, UNTIL) for person in demo.PEOPLE}

    assert again == histories
    assert len({person.full_name for person in demo.PEOPLE}) == len(histories) == 5


def test_there_are_some_thousand_movements_over_two_years(
    histories: dict[str, list[Draft]],
) -> None:
    first_moment = clock.midnight(UNTIL.date()) - timedelta(days=729)

    assert 2500 <= sum(map(len, histories.values())) <= 3500
    for drafts in histories.values():
        assert 400 <= len(drafts) <= 800
        moments = [draft.transaction_date for draft in drafts]
        assert moments == sorted(moments)
        assert first_moment <= moments[0] < first_moment + timedelta(days=14)
        assert UNTIL - timedelta(days=14) < moments[-1] <= UNTIL


def test_every_amount_is_one_that_the_api_would_take(histories: dict[str, list[Draft]]) -> None:
    for draft in (draft for drafts in histories.values() for draft in drafts):
        assert money.parse(draft.transaction_amount) == draft.transaction_amount
        money.require_decimals(draft.transaction_amount, draft.currency)
        assert draft.transaction_date.tzinfo is UTC


@pytest.mark.parametrize(
    ("month", "paid"),
    [
        (date(2026, 5, 1), date(2026, 5, 25)),  # a Monday
        (date(2026, 9, 1), date(2026, 9, 25)),  # a Friday
        (date(2026, 4, 1), date(2026, 4, 24)),  # the 25th is a Saturday
        (date(2026, 1, 31), date(2026, 1, 23)),  # the 25th is a Sunday
    ],
)
def test_salary_comes_on_the_25th_or_the_last_working_day_before(month: date, paid: date) -> None:
    assert demo.salary_day(month) == paid


def test_everybody_is_paid_and_pays_rent_every_month(histories: dict[str, list[Draft]]) -> None:
    months = {(2024, n) for n in range(7, 13)} | {(2025, n) for n in range(1, 13)}
    for person in demo.PEOPLE:
        drafts = histories[person.username]
        salaries = [d for d in drafts if d.description == "Salary"]
        rents = [d for d in drafts if d.description == "Rent"]

        assert [d.transaction_date.date() for d in salaries] == [
            demo.salary_day(d.transaction_date.date()) for d in salaries
        ]
        assert {(d.transaction_date.day, d.full_name) for d in rents} == {(1, person.landlord)}
        for each in (salaries, rents):
            counts = Counter((d.transaction_date.year, d.transaction_date.month) for d in each)
            assert months < counts.keys()
            assert set(counts.values()) == {1}


def test_a_refund_gives_back_what_was_paid_before(histories: dict[str, list[Draft]]) -> None:
    for drafts in histories.values():
        refunds = [d for d in drafts if (d.description or "").startswith("Refund: ")]
        assert refunds
        for refund in refunds:
            (bought,) = [
                d
                for d in drafts
                if d.transaction_amount == refund.transaction_amount
                and f"Refund: {d.description}" == refund.description
            ]
            assert refund.transaction_type == "credit"
            assert bought.transaction_type == "debit"
            assert bought.transaction_date < refund.transaction_date


def test_trips_are_paid_in_the_currency_of_the_place(histories: dict[str, list[Draft]]) -> None:
    currencies = {name: {d.currency for d in drafts} for name, drafts in histories.items()}

    assert currencies == {
        "ada": {"USD"},
        "grace": {"USD", "JPY"},
        "alan": {"GBP", "EUR"},
        "emmy": {"EUR"},
        "katherine": {"USD", "JPY", "EUR"},
    }


@pytest.mark.django_db
def test_it_records_just_what_was_drafted_and_totals_are_exact(
    password: str, histories: dict[str, list[Draft]]
) -> None:
    said = load_demo()

    count = sum(map(len, histories.values()))
    assert said == f"5 people, {count:,} transactions. Log in as ada or admin."
    for name, drafts in histories.items():
        user = User.objects.get(username=name)
        rows = Transaction.objects.filter(user=user)
        assert {row.external_id: as_draft(row) for row in rows} == {
            draft.external_id: draft for draft in drafts
        }
        totals.fold([user.pk])
    assert sum(DailyTotals.objects.values_list("count", flat=True)) == count
    call_command("check_totals")


@pytest.mark.django_db
def test_everybody_logs_in_with_the_password_and_admin_is_staff(
    password: str, a_month_alone: None
) -> None:
    load_demo()

    users = {user.username: user for user in User.objects.all()}
    assert set(users) == {"ada", "grace", "alan", "emmy", "katherine", "admin"}
    assert all(user.check_password(password) for user in users.values())
    assert [name for name, user in users.items() if user.is_staff] == ["admin"]
    assert users["admin"].is_superuser
    assert (users["ada"].full_name, users["alan"].currency) == ("Ada Lovelace", "GBP")


@pytest.mark.django_db
def test_where_there_is_a_user_it_does_nothing_and_says_so(password: str) -> None:
    UserFactory.create(username="somebody")

    assert load_demo() == "There are already users: nothing was loaded."
    assert [user.username for user in User.objects.all()] == ["somebody"]
    assert not Transaction.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("", "Set FIDO_DEMO_PASSWORD: it becomes the password of the demonstration's logins."),
        ("password", "FIDO_DEMO_PASSWORD is not acceptable: This password is too common."),
    ],
)
def test_without_a_good_password_it_loads_nothing(
    monkeypatch: pytest.MonkeyPatch, value: str, sentence: str
) -> None:
    monkeypatch.setenv("FIDO_DEMO_PASSWORD", value)

    with pytest.raises(CommandError) as refusal:
        load_demo()

    assert str(refusal.value) == sentence
    assert not User.objects.exists()


@pytest.mark.django_db
def test_where_it_was_not_asked_for_it_loads_nothing_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIDO_DEMO_PASSWORD", "\n")

    assert load_demo("--if-asked-for") == "FIDO_DEMO_PASSWORD is not set: no demonstration."
    assert not User.objects.exists()


@pytest.mark.django_db
def test_its_password_may_be_in_a_file(
    a_month_alone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIDO_DEMO_PASSWORD")
    monkeypatch.setenv("FIDO_DEMO_PASSWORD_FILE", str(tmp_path / "password"))
    (tmp_path / "password").write_text("correct horse battery\n")

    load_demo("--if-asked-for")

    assert User.objects.get(username="ada").check_password("correct horse battery")


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_load_leaves_nothing_half_done(
    password: str, a_month_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_many, done = operations.record_many, 0

    def interrupted(**kwargs: Any) -> Any:
        nonlocal done
        done += 1
        if done > 2:
            raise KeyboardInterrupt
        return record_many(**kwargs)

    monkeypatch.setattr(operations, "record_many", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_demo()

    assert not User.objects.exists()
    assert not Transaction.objects.exists()
    assert not DailyTotals.objects.exists()


@pytest.mark.django_db
def test_the_same_movement_is_not_recorded_twice(histories: dict[str, list[Draft]]) -> None:
    ada, draft = UserFactory.create(), histories["ada"][0]
    operations.record(owner=ada, draft=draft)

    with pytest.raises(operations.ExternalIdTaken):
        operations.record(owner=ada, draft=draft)

    assert Transaction.objects.get().transaction_amount > Decimal(0)
