"""How transactions change the balances of their wallets."""

from collections.abc import Iterable
from uuid import UUID

from accounts.wallets import movements
from accounts.wallets.movements import Movement
from fido.lib.values.errors import DomainError
from transactions.models import Transaction
from transactions.signals import Change


def follow(change: Change) -> None:
    """Move the balances according to a change that was just written.

    Raises:
        InsufficientFunds, BalanceTooLarge, WalletClosed
    """
    moved = [each for each in (_movement(change.before, -1), movement_of(change.after)) if each]
    if moved:
        user_id = next(row.user_id for row in (change.before, change.after) if row)
        movements.move(user_id=user_id, deltas=movements.net(moved))


def follow_all(user_id: int, rows: Iterable[Transaction]) -> dict[UUID, DomainError]:
    """Move the balances by many new rows, in order; returns the refusals of the others, by id."""
    moving = [(row, movement) for row in rows if (movement := movement_of(row))]
    if not moving:
        return {}
    refused = movements.settle(user_id=user_id, movements=[movement for _, movement in moving])
    return {moving[place][0].pk: refusal for place, refusal in refused.items()}


def movement_of(row: Transaction | None) -> Movement | None:
    """How a new row moves a balance; None without a row or a wallet."""
    return _movement(row, +1)


def _movement(row: Transaction | None, sign: int) -> Movement | None:
    if row is None or row.wallet_id is None:
        return None
    if row.transaction_type == Transaction.Type.DEBIT:
        sign = -sign
    return Movement((row.wallet_id, row.currency), sign * row.transaction_amount)
