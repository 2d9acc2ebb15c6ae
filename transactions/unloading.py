"""Many rows deleted at once, by the undo of an import. The counterpart of `loading`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from accounts.wallets import movements
from accounts.wallets.movements import Movement
from fido.lib.process.statements import rows_of
from fido.lib.values import money
from fido.lib.values.errors import DomainError
from transactions.models import Transaction
from transactions.signals import DayMoved, transactions_unloaded

# An edit that has not committed is waited for; then its row has another version, and stays.
UNCHANGED = """
DELETE FROM transactions_transaction
WHERE user_id = %(user_id)s AND id BETWEEN %(first)s AND %(last)s
    AND version = 1 AND id <> ALL(%(spared)s)
RETURNING id, (transaction_date AT TIME ZONE 'UTC')::date,
    currency, transaction_type, transaction_amount, wallet_id
"""


class InTheWay(Exception):
    """The wallets of some rows refuse that they are deleted. Nothing was written.

    `refused` has the reasons, by the rows' ids.
    """

    def __init__(self, refused: dict[UUID, DomainError]) -> None:
        super().__init__(refused)
        self.refused = refused


@dataclass(frozen=True)
class Gone:
    """A deleted row, as far as others have to follow. `day` is in UTC."""

    id: UUID
    day: date
    currency: str
    kind: str
    amount: Decimal
    wallet_id: UUID | None

    @property
    def movement(self) -> Movement | None:
        """What moves its balance back."""
        if self.wallet_id is None:
            return None
        delta = self.amount if self.kind == Transaction.Type.DEBIT else -self.amount
        return Movement((self.wallet_id, self.currency), delta)


def unload(*, user_id: int, first: UUID, last: UUID, spared: Collection[UUID]) -> int:
    """Delete those rows of one user that have never been edited; return how many.

    They are those with ids from `first` to `last`, without the `spared`. Runs in the caller's
    database transaction and write fence.

    Raises:
        InTheWay: the caller has to roll its database transaction back.
    """
    ids = {"first": first, "last": last, "spared": list(spared)}
    gone = [Gone(*row) for row in rows_of(UNCHANGED, {"user_id": user_id} | ids)]
    if refused := _moved_back(user_id, gone):
        raise InTheWay(refused)
    if gone:
        transactions_unloaded.send(sender=Transaction, user_id=user_id, moved=_sums(gone))
    return len(gone)


def _moved_back(user_id: int, gone: Iterable[Gone]) -> dict[UUID, DomainError]:
    """Move the balances back by the deleted rows; return the refusals of the others, by id."""
    # Backwards, so that each balance takes the way back on which it came. What is refused on it
    # may be possible at its end.
    backwards = sorted(gone, key=lambda row: row.id, reverse=True)
    moving = [(row.id, movement) for row in backwards if (movement := row.movement)]
    refusals: dict[UUID, DomainError] = {}
    for _ in range(2 if moving else 0):
        refused = movements.settle(user_id=user_id, movements=[each for _, each in moving])
        refusals = {moving[place][0]: refusal for place, refusal in refused.items()}
        moving = [moving[place] for place in refused]
    return refusals


def _sums(gone: Iterable[Gone]) -> list[DayMoved]:
    """What they have moved on each day in each currency, subtracted."""
    counts: dict[tuple[date, str], int] = defaultdict(int)
    sums: dict[tuple[date, str, str], Decimal] = defaultdict(Decimal)
    for row in gone:
        counts[row.day, row.currency] -= 1
        key = (row.day, row.currency, row.kind)
        sums[key] = money.added(sums[key], -row.amount)
    return [
        DayMoved(*key, count, credit=sums[*key, "credit"], debit=sums[*key, "debit"])
        for key, count in counts.items()
    ]
