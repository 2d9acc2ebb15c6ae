"""The admin page of daily totals."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from analytics.models import DailyTotals
from analytics.operations import fold
from tests.factories import StaffFactory, UserFactory, record
from tests.staff import Desk, clerk

pytestmark = pytest.mark.django_db
LIST = "analytics/dailytotals/"


@pytest.fixture
def desk(db: None) -> Desk:
    return clerk("analytics.view_dailytotals")


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="jane")


def found(desk: Desk, **parameters: Any) -> list[DailyTotals]:
    return list(desk.get(LIST, **parameters).context["cl"].result_list)


def test_totals_are_shown_with_their_currencys_decimals(desk: Desk, jane: User) -> None:
    record(jane, transaction_amount=Decimal("0.1"))
    record(jane, transaction_amount=Decimal("19.99"), transaction_type="debit")
    fold([jane.pk])
    record(jane, currency="JPY", transaction_amount=Decimal(1200))
    row = DailyTotals.objects.get(currency="USD")

    page, opened = desk.text(LIST), desk.text(f"{LIST}{row.pk}/change/")

    amounts = ("0.10", "19.99", "1200", "0")
    assert all(f'<div class="money">{amount}</div>' in page for amount in amounts)
    assert "19.99" in opened
    assert page.count(">jane</td>") == 2


def test_totals_are_found_by_user_currency_and_whether_they_are_folded(
    desk: Desk, jane: User
) -> None:
    record(jane)
    fold([jane.pk])
    record(UserFactory.create(username="ken"), currency="EUR")
    folded, pending = DailyTotals.objects.order_by("pending")

    assert found(desk) == [pending, folded]
    assert found(desk, q="JANE") == found(desk, q=str(jane.pk)) == found(desk, currency="USD")
    assert found(desk, q="jane") == found(desk, pending__exact="0") == [folded]
    assert found(desk, q="nobody") == found(desk, currency="USD", q="ken") == []


def test_nobody_changes_totals_here(jane: User) -> None:
    desk = Desk(StaffFactory.create())
    record(jane)
    before = DailyTotals.objects.values().get()

    for page in ("add/", f"{before['id']}/change/", f"{before['id']}/delete/"):
        assert desk.post(LIST + page, count="7", post="yes").status_code == 403

    assert DailyTotals.objects.values().get() == before
