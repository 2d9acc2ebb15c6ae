"""The balances of wallets, compared with their transactions."""

from collections import defaultdict
from decimal import Decimal

from accounts.models import User
from accounts.wallets.models import Balance, Wallet
from transactions.models import Transaction


def held(wallet: Wallet) -> dict[str, Decimal]:
    """The amounts by currency, even of a closed wallet."""
    rows = Balance.objects.filter(user_id=wallet.user_id, wallet_id=wallet.pk)
    return dict(rows.values_list("currency", "amount"))


def assert_balanced(user: User) -> None:
    """Each balance is its opening amount plus its transactions, added up in Python."""
    sums: dict[tuple[object, str], Decimal] = defaultdict(Decimal)
    for row in Transaction.objects.filter(user_id=user.pk, wallet_id__isnull=False):
        sign = 1 if row.transaction_type == "credit" else -1
        sums[row.wallet_id, row.currency] += sign * row.transaction_amount
    amounts = {}
    for balance in Balance.objects.filter(user_id=user.pk):
        sums[balance.wallet_id, balance.currency] += balance.opening
        amounts[balance.wallet_id, balance.currency] = balance.amount
    assert amounts == dict(sums)
    assert all(amount >= 0 for amount in amounts.values())
