"""Admin pages of wallets and balances."""

from typing import Any

import pytest

from accounts.models import User
from accounts.wallets.models import Balance, Wallet
from accounts.wallets.operations import close_wallet
from tests.factories import StaffFactory, UserFactory, record, wallet
from tests.staff import Desk, clerk

pytestmark = pytest.mark.django_db
WALLETS, BALANCES = "wallets/wallet/", "wallets/balance/"


@pytest.fixture
def desk(db: None) -> Desk:
    return clerk("wallets.view_wallet", "wallets.view_balance", "transactions.view_transaction")


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="jane", full_name="Jane Doe")


def found(desk: Desk, path: str, **parameters: Any) -> list[Any]:
    return list(desk.get(path, **parameters).context["cl"].result_list)


def test_a_wallet_is_shown_with_what_it_holds(desk: Desk, jane: User) -> None:
    main = wallet(jane, USD="10.5", JPY="1200")

    opened = desk.text(f"{WALLETS}{main.pk}/change/")
    listed = desk.text(BALANCES)

    assert "<div>1200 JPY</div><div>10.50 USD</div>" in opened
    assert all(f'<div class="money">{amount}</div>' in listed for amount in ("10.50", "1200"))
    for page in (opened, listed, desk.text(WALLETS)):
        assert "jane" in page
        assert "Doe" not in page


def test_they_are_found_by_user_currency_and_whether_they_are_open(desk: Desk, jane: User) -> None:
    main, gone = wallet(jane, USD="1"), wallet(jane, "gone", EUR="0")
    close_wallet(wallet=gone)
    other = wallet(UserFactory.create(username="ken"), EUR="1")
    usd, closed, eur = Balance.objects.order_by("id")

    assert found(desk, WALLETS, q="JANE") == found(desk, WALLETS, q=str(jane.pk)) == [gone, main]
    assert found(desk, WALLETS, closed_at__isempty="1") == [other, main]
    assert found(desk, BALANCES, q="jane") == [closed, usd]
    assert found(desk, BALANCES, currency="EUR") == [eur, closed]
    assert found(desk, BALANCES, is_open__exact="1") == [eur, usd]
    assert found(desk, BALANCES, q="nobody") == []


@pytest.mark.parametrize("model", [Wallet, Balance])
def test_nobody_changes_one_here(jane: User, model: Any) -> None:
    wallet(jane, USD="1")
    row = model.objects.get()
    desk, path = Desk(StaffFactory.create()), f"wallets/{model._meta.model_name}/"

    assert desk.get(f"{path}add/").status_code == 403
    assert desk.post(f"{path}{row.pk}/change/", name="x", amount="9").status_code == 403
    assert desk.post(f"{path}{row.pk}/delete/", post="yes").status_code == 403
    assert model.objects.values().get() == model.objects.filter(pk=row.pk).values().get()


def test_a_transaction_says_in_which_wallet_it_is(desk: Desk, jane: User) -> None:
    row = record(jane, wallet_id=wallet(jane, "Holidays").pk)

    assert "Holidays" in desk.text(f"transactions/transaction/{row.pk}/change/")
