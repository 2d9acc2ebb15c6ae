"""`manage.py reconcile_wallets` finds each balance that contradicts its transactions."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from accounts.wallets.models import Balance, Wallet
from accounts.wallets.operations import close_wallet
from tests.factories import UserFactory, record, wallet
from transactions.models import Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def main() -> Wallet:
    user = UserFactory.create()
    main = wallet(user, USD="10.00", JPY="3")
    record(user, wallet_id=main.pk, transaction_amount=Decimal("2.50"))
    record(user, wallet_id=main.pk, transaction_amount=Decimal(1), transaction_type="debit")
    record(user)
    close_wallet(wallet=wallet(user, "gone", USD="0"))
    return main


def reconciled(*arguments: str) -> str:
    out = StringIO()
    try:
        call_command("reconcile_wallets", *arguments, stdout=out)
    except CommandError as error:
        out.write(f"{error}\n")
    return out.getvalue()


def test_where_all_is_well_it_says_so(main: Wallet) -> None:
    UserFactory.create()

    assert reconciled() == "2 users, no difference.\n"
    assert reconciled("--user", str(main.user_id)) == "1 users, no difference.\n"


def test_each_wrong_balance_is_printed_and_it_fails(main: Wallet) -> None:
    Balance.objects.filter(currency="USD", wallet=main).update(amount=Decimal("11.51"))
    Balance.objects.filter(currency="JPY").update(opening=Decimal(4))
    where = f"user {main.user_id}, wallet {main.pk}"

    assert reconciled().splitlines() == [
        f"{where}, JPY: 3.0000 instead of 4.0000",
        f"{where}, USD: 11.5100 instead of 11.5000",
        "1 users, 2 differences.",
    ]


def test_transactions_without_a_balance_are_found(main: Wallet) -> None:
    other: User = UserFactory.create()
    record(other, wallet_id=wallet(other).pk)
    Balance.objects.filter(user=other).delete()

    assert reconciled("--user", str(main.user_id)) == "1 users, no difference.\n"
    assert "no balance instead of 10.0000" in reconciled("--user", str(other.pk))


def test_a_transaction_that_went_round_the_operations_is_found(main: Wallet) -> None:
    Transaction.objects.filter(wallet=main, transaction_type="debit").delete()

    assert "USD: 11.5000 instead of 12.5000" in reconciled()


def test_an_unknown_user_is_refused(main: Wallet) -> None:
    assert reconciled("--user", "987654321") == "There is no user 987654321.\n"
