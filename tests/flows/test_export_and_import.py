"""An exported file can be imported, with the same texts and totals."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.client import ApiClient
from tests.exports import given_to
from tests.factories import record
from tests.imports import imported
from tests.movements import FIRST_DAY
from transactions.models import Transaction

TEXTS = [
    "=cmd()|' /C calc'!A0",
    "+1",
    "-1+1",
    "@SUM(A1:A9)",
    "'quoted",
    "''=twice",
    "'",
    'say "so"; =1',
    "a,b\r\nc\td",
    "＝full width",
    "Zoë 😀",
    "plain",
    None,
]
FIELDS = ("transaction_date", "transaction_amount", "transaction_type", "currency")
TEXT_FIELDS = ("full_name", "description", "external_id")


def fill(owner: ApiClient) -> None:
    for number, text in enumerate(TEXTS):
        for amount, currency in (("0.10", "USD"), ("1200", "JPY"), ("999999999999.999", "KWD")):
            record(
                owner.user,  # type: ignore[arg-type]
                full_name=text,
                description=text,
                external_id=text and f"{text}{currency}",
                currency=currency,
                transaction_amount=Decimal(amount) * (number + 1 if currency != "KWD" else 1),
                transaction_type="debit" if number % 3 else "credit",
                transaction_date=FIRST_DAY + timedelta(hours=7 * number, microseconds=number),
            )


def contents(owner: ApiClient) -> list[tuple[Any, ...]]:
    rows = Transaction.objects.filter(user_id=owner.user_id)
    return sorted(tuple(str(getattr(row, name)) for name in FIELDS + TEXT_FIELDS) for row in rows)


def answers(owner: ApiClient) -> list[Any]:
    shown = [
        owner.get("/analytics").json(),
        owner.get("/analytics", start="2026-01-01T05:00:00Z", end="2026-01-03").json(),
        owner.get("/users/me/analytics/series", interval="day").json(),
    ]
    return [{k: v for k, v in each.items() if k not in {"user_id", "full_name"}} for each in shown]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_an_export_that_is_imported_is_what_it_was(
    ada: ApiClient, ben: ApiClient, form: str
) -> None:
    fill(ada)

    exported = ada.get("/transactions/export", format=form).getvalue()
    assert imported(ben, exported).rows_created == 0  # they are Ada's
    done = imported(ben, given_to(ben, exported, ada))

    assert (done.status, done.rows_created, done.errors) == ("done", 3 * len(TEXTS), [])
    assert contents(ben) == contents(ada)
    assert answers(ben) == answers(ada)


@pytest.mark.django_db(transaction=True)
def test_no_cell_of_an_export_begins_a_formula(ada: ApiClient) -> None:
    fill(ada)

    lines = ada.get("/transactions/export", format="csv").getvalue().decode()

    for sign in "=+-@＝":
        assert f",{sign}" not in lines
        assert f',"{sign}' not in lines


@pytest.mark.django_db(transaction=True)
def test_an_export_that_its_own_user_imports_creates_nothing_that_has_an_external_id(
    ada: ApiClient,
) -> None:
    fill(ada)
    exported = ada.get("/transactions/export", external_id="plainUSD").getvalue()

    again = imported(ada, exported)

    assert (again.rows_created, again.rows_refused) == (0, 1)
    assert len(contents(ada)) == 3 * len(TEXTS)
