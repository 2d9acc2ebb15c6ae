"""Many new rows at once, from an import: checked, encrypted, and written as text."""

from collections.abc import Sequence
from uuid import UUID

from accounts.wallets import movements
from accounts.wallets.movements import Movement
from fido.lib.process import inserts
from fido.lib.values.errors import DomainError
from transactions.models import Transaction
from transactions.signals import DayMoved, transactions_loaded


class NotSettled(Exception):
    """Some rows would move a balance in a way that is refused.

    `refused` has the reasons, by the position of the movement. Nothing was written.
    """

    def __init__(self, refused: dict[int, DomainError]) -> None:
        super().__init__(refused)
        self.refused = refused


def load(  # noqa: PLR0913 - what a batch consists of
    *,
    user_id: int,
    columns: Sequence[str],
    lines: bytes,
    moved: list[DayMoved],
    ids: tuple[UUID, UUID],
    in_wallets: Sequence[Movement],
) -> None:
    """Insert many new rows of one user, in the caller's database transaction and write fence.

    `lines` are in the text format of PostgreSQL's COPY, their cells those of `columns`: checked and
    encrypted as the model requires. `moved` is their sums; `ids` are the first and the last of the
    block of their ids; `in_wallets` is the movements of the rows that are in a wallet, in order.

    Raises:
        IntegrityError: an `external_id` is taken.
        NotSettled: the caller has to roll its database transaction back.
    """
    with inserts.copying(Transaction, columns) as copy:
        copy.write(lines)
    if refused := movements.settle(user_id=user_id, movements=in_wallets):
        raise NotSettled(refused)
    transactions_loaded.send(sender=Transaction, user_id=user_id, moved=moved, ids=ids)
