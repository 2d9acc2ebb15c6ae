"""What transactions do to the balances of the wallets that they are in."""

from collections.abc import Iterable
from uuid import UUID

from accounts.wallets import movements
from accounts.wallets.movements import Movement
from fido.lib.values.errors import DomainError
from transactions.models import Transaction
from transactions.signals import Change


def follow(change: Change) -> None:
    """Moves the balances by what a change that was just written means for them.

    Raises:
        InsufficientFunds, BalanceTooLarge, WalletClosed
    """
    moved = [*_movements(change.before, -1), *_movements(change.after, +1)]
    if moved:
        user_id = next(row.user_id for row in (change.before, change.after) if row)
        movements.move(user_id=user_id, deltas=movements.net(moved))


def follow_all(user_id: int, rows: Iterable[Transaction]) -> dict[UUID, DomainError]:
    """Moves the balances by many new rows, one after another; why not, by the others' ids."""
    moving = [(row, movement) for row in rows for movement in _movements(row, +1)]
    if not moving:
        return {}
    refused = movements.settle(user_id=user_id, movements=[movement for _, movement in moving])
    return {moving[place][0].pk: refusal for place, refusal in refused.items()}


def _movements(row: Transaction | None, sign: int) -> Iterable[Movement]:
    """At most one: none where there is no row, or no wallet."""
    if row is None or row.wallet_id is None:
        return
    if row.transaction_type == Transaction.Type.DEBIT:
        sign = -sign
    yield Movement((row.wallet_id, row.currency), sign * row.transaction_amount)
