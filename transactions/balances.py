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
    moved = [*_movements(change.before, -1), *_movements(change.after, +1)]
    if moved:
        user_id = next(row.user_id for row in (change.before, change.after) if row)
        movements.move(user_id=user_id, deltas=movements.net(moved))


def follow_all(user_id: int, rows: Iterable[Transaction]) -> dict[UUID, DomainError]:
    """Move the balances by many new rows, in order; returns the refusals of the others, by id."""
    moving = [(row, movement) for row in rows for movement in _movements(row, +1)]
    if not moving:
        return {}
    refused = movements.settle(user_id=user_id, movements=[movement for _, movement in moving])
    return {moving[place][0].pk: refusal for place, refusal in refused.items()}


def _movements(row: Transaction | None, sign: int) -> Iterable[Movement]:
    """At most one movement: none without a row or a wallet."""
    if row is None or row.wallet_id is None:
        return
    if row.transaction_type == Transaction.Type.DEBIT:
        sign = -sign
    yield Movement((row.wallet_id, row.currency), sign * row.transaction_amount)
