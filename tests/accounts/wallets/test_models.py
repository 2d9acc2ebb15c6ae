"""Database constraints on wallets and balances."""

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from accounts.wallets.models import Balance, Wallet
from tests.factories import UserFactory, record, wallet
from transactions.models import Transaction

pytestmark = pytest.mark.django_db

WALLET_REFUSED = [
    ("wallet_name_fits_a_path", "name = ''"),
    ("wallet_name_fits_a_path", "name = 'a/b'"),
    ("wallet_name_fits_a_path", "name = E'a\\\\b'"),
    ("wallet_name_fits_a_path", "name = E'a\\nb'"),
    ("wallet_name_fits_a_path", "name = '..'"),
    ("wallet_version_is_positive", "version = 0"),
    ("user_id", "user_id = NULL"),
    ("name", "name = NULL"),
]
BALANCE_REFUSED = [
    ("balance_is_never_negative", "amount = -0.01"),
    ("balance_is_never_negative", "amount = 'NaN'"),
    ("opening_is_never_negative", "opening = -0.01"),
    ("opening_is_never_negative", "opening = 'NaN'"),
    ("balance_has_the_currencys_decimals", "amount = 1.001"),
    ("opening_has_the_currencys_decimals", "opening = 1.001"),
    ("balance_has_the_currencys_decimals", "amount = 0.5, currency = 'JPY'"),
    ("balance_currency_is_a_code", "currency = 'usd'"),
    ("closed_balance_is_zero", "is_open = false"),
    ("user_id", "user_id = NULL"),
    ("wallet_id", "wallet_id = NULL"),
]


@pytest.fixture
def main() -> Wallet:
    return wallet(UserFactory.create(), USD="10.00")


def write(table: str, assignment: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {assignment}")


@pytest.mark.parametrize(("rule", "assignment"), WALLET_REFUSED)
def test_a_wallet_that_breaks_a_rule_is_refused(main: Wallet, rule: str, assignment: str) -> None:
    with pytest.raises(IntegrityError, match=rule):
        write("wallets_wallet", assignment)


@pytest.mark.parametrize(("rule", "assignment"), BALANCE_REFUSED)
def test_a_balance_that_breaks_a_rule_is_refused(main: Wallet, rule: str, assignment: str) -> None:
    with pytest.raises(IntegrityError, match=rule):
        write("wallets_balance", assignment)


@pytest.mark.parametrize("column", ["amount", "opening"])
def test_what_no_column_holds_is_refused(main: Wallet, column: str) -> None:
    for value in ("1000000000000000", "'Infinity'"):
        with pytest.raises(DataError):
            write("wallets_balance", f"{column} = {value}")


def test_one_name_is_of_one_open_wallet_and_of_any_closed_ones(main: Wallet) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Wallet.objects.create(user_id=main.user_id, name="main")
    Wallet.objects.update(closed_at=main.created_at)

    Wallet.objects.create(user_id=main.user_id, name="main")

    assert Wallet.objects.filter(user_id=main.user_id, name="main").count() == 2


def test_a_wallet_has_one_balance_of_a_currency(main: Wallet) -> None:
    with pytest.raises(IntegrityError, match="balance_unique_by_currency"):
        Balance.objects.create(user_id=main.user_id, wallet=main, currency="USD")


def test_a_balance_is_in_a_wallet_of_its_own_user(main: Wallet) -> None:
    other = UserFactory.create()

    with pytest.raises(IntegrityError, match="balance_in_own_wallet"):
        Balance.objects.create(user_id=other.pk, wallet=main, currency="EUR")


def test_a_transaction_is_in_a_wallet_of_its_own_user(main: Wallet) -> None:
    row = record(UserFactory.create())

    with pytest.raises(IntegrityError, match="transaction_in_own_wallet"):
        Transaction.objects.filter(pk=row.pk).update(wallet_id=main.pk)
