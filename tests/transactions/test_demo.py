"""The demonstration: plausible, repeatable, and loaded completely or not at all."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from fido.lib.values import clock, money
from transactions import demo
from transactions.demo.movements import salary_day
from transactions.operations import Draft

UNTIL = datetime(2026, 6, 15, 18, tzinfo=UTC)
PASSWORD = "a password of no dictionary"


@pytest.fixture(scope="module")
def histories() -> dict[str, list[Draft]]:
    return {person.username: demo.history(person, UNTIL) for person in demo.PEOPLE}


def test_the_same_end_gives_the_same_histories(histories: dict[str, list[Draft]]) -> None:
    again = {person.username: demo.history(person, UNTIL) for person in demo.PEOPLE}

    assert again == histories
    assert len({person.full_name for person in demo.PEOPLE}) == len(histories) == 5


def test_there_are_some_thousand_movements_over_two_years(
    histories: dict[str, list[Draft]],
) -> None:
    first_moment = clock.midnight(UNTIL.date()) - timedelta(days=729)

    assert 2300 <= sum(map(len, histories.values())) <= 3000
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
    assert salary_day(month) == paid


def test_the_five_lives_differ(histories: dict[str, list[Draft]]) -> None:
    currencies = {name: {d.currency for d in drafts} for name, drafts in histories.items()}
    income = {
        name: Counter(d.description for d in drafts if d.transaction_type == "credit")
        for name, drafts in histories.items()
    }

    assert currencies == {
        "ada": {"GBP"},
        "grace": {"EUR", "CHF"},
        "alan": {"GBP"},
        "emmy": {"EUR"},
        "katherine": {"EUR"},
    }
    assert {name for name, found in income.items() if found["Salary"] >= 23} == {"ada", "katherine"}
    assert income["grace"]["Invoice"] > 40
    assert income["alan"]["Wages"] > 100
    assert income["emmy"]["Card takings"] > 200
    assert income["katherine"]["Chargeback by the bank"] == 1


def test_every_movement_has_a_category(histories: dict[str, list[Draft]]) -> None:
    for drafts in histories.values():
        assert all(draft.category for draft in drafts)
        assert len({draft.category for draft in drafts}) >= 4


def test_a_refund_gives_back_what_was_paid_before(histories: dict[str, list[Draft]]) -> None:
    refunds = [
        (draft, drafts)
        for drafts in histories.values()
        for draft in drafts
        if (draft.description or "").startswith("Refund: ")
    ]
    assert refunds
    for refund, drafts in refunds:
        (bought,) = [
            d
            for d in drafts
            if d.transaction_amount == refund.transaction_amount
            and f"Refund: {d.description}" == refund.description
        ]
        assert (refund.transaction_type, bought.transaction_type) == ("credit", "debit")
        assert bought.transaction_date < refund.transaction_date
