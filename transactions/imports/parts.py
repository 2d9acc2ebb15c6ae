"""The parts of a batch, each of one user's rows, as they are created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from accounts.wallets.movements import Movement
from fido.lib.values.errors import DomainError
from transactions import loading
from transactions.imports import queries
from transactions.imports.checking import Fault
from transactions.imports.encoding import COLUMNS, Encoded, Encoder
from transactions.imports.shares import Share
from transactions.loading import NotSettled
from transactions.signals import DayMoved


@dataclass
class Part:
    """The rows of one person in a batch, encoded; `encoder` encodes them again.

    Then without the external ids that turned out to be `taken`, and without the lines whose wallet
    turned out to hold too little, which are `unsettled`.
    """

    share: Share
    encoded: Encoded
    encoder: Encoder
    taken: set[str] = field(default_factory=set)
    unsettled: dict[int, Fault] = field(default_factory=dict)

    @property
    def user_id(self) -> int:
        """Raises AssertionError: nobody's rows are all refused."""
        assert self.share.person.user_id is not None
        return self.share.person.user_id

    def leave_out(self, refused: Mapping[int, DomainError]) -> None:
        """Those whose movements, by position, are refused."""
        self.unsettled |= _faults(self.encoded, refused)
        self._encode()

    def leave_out_taken(self) -> bool:
        """Those with an external id that a transaction of the user has; return whether any had."""
        before = len(self.taken)
        while (ids := self.encoded.external_ids) and (
            found := queries.external_ids_in_use(self.user_id, ids)
        ):
            self.taken |= found
            self._encode()
        return len(self.taken) > before

    def _encode(self) -> None:
        self.encoded = self.encoder.encode(self.share, self.taken, self.unsettled)


class PartsRefused(Exception):
    """Some rows would move a balance in a way that is refused. The batch was rolled back.

    `refused` has the reasons of each part, by the position of the movement.
    """

    def __init__(self, refused: Sequence[tuple[Part, Mapping[int, DomainError]]]) -> None:
        super().__init__(refused)
        self.refused = refused


def load(parts: Sequence[Part]) -> None:
    """Insert the rows of all parts, in the caller's database transaction and write fences.

    Raises:
        IntegrityError: an `external_id` is taken.
        PartsRefused: of all parts at once, so that one more attempt is enough for these. The caller
            has to roll its database transaction back.
    """
    refused = []
    for part in parts:
        try:
            _load_part(part.user_id, part.encoded)
        except NotSettled as error:
            refused.append((part, error.refused))
    if refused:
        raise PartsRefused(refused)


def _load_part(user_id: int, encoded: Encoded) -> None:
    assert encoded.ids is not None
    loading.load(
        user_id=user_id,
        columns=COLUMNS,
        lines=encoded.lines,
        moved=[DayMoved(*key, **vars(sums)) for key, sums in encoded.moved.items()],
        in_wallets=[
            Movement((UUID(each.wallet_id), each.currency), each.delta)
            for each in encoded.in_wallets
        ],
        ids=encoded.ids,
    )


def _faults(encoded: Encoded, refused: Mapping[int, DomainError]) -> dict[int, Fault]:
    return {
        encoded.in_wallets[place].line: Fault("wallet", refusal.code, refusal.detail)
        for place, refusal in refused.items()
    }
