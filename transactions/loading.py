"""Many new rows at once, from an import: checked, encrypted, and written as text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accounts.wallets import movements
from accounts.wallets.movements import Movement
from fido.lib.process import inserts
from fido.lib.values.errors import DomainError
from transactions.models import Transaction
from transactions.signals import Loaded, transactions_loaded


@dataclass(frozen=True)
class Load(Loaded):
    """New rows of one user.

    `lines` are in the text format of PostgreSQL's COPY: checked and encrypted as the model
    requires. `in_wallets` is the movements of the rows that are in a wallet, in order.
    """

    lines: bytes
    in_wallets: Sequence[Movement]


class NotSettled(Exception):
    """Some rows would move a balance in a way that is refused.

    `refused` has the reasons of each load, by its position, by the position of the movement.
    """

    def __init__(self, refused: dict[int, dict[int, DomainError]]) -> None:
        super().__init__(refused)
        self.refused = refused


def load(columns: Sequence[str], loads: Sequence[Load]) -> None:
    """Insert many new rows, in the caller's database transaction and write fences.

    The cells of their lines are those of `columns`. The loads are in the order of their users.

    Raises:
        IntegrityError: an `external_id` is taken.
        NotSettled: the caller has to roll its database transaction back.
    """
    refused = {}
    for place, run in _runs(loads):
        with inserts.copying(Transaction, columns) as copy:
            for each in run:
                copy.write(each.lines)
        last = run[-1]
        if of_last := movements.settle(user_id=last.user_id, movements=last.in_wallets):
            refused[place] = of_last
    if refused:
        raise NotSettled(refused)
    transactions_loaded.send(sender=Transaction, loaded=list(loads))


def _runs(loads: Sequence[Load]) -> Iterator[tuple[int, list[Load]]]:
    """What one COPY may take, with the position of its last: only that one moves balances.

    So everybody locks a user's rows and balances before the next user's.
    """
    run: list[Load] = []
    for place, each in enumerate(loads):
        run.append(each)
        if each.in_wallets or place == len(loads) - 1:
            yield place, run
            run = []
