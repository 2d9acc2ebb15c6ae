"""The parts of a batch, each of one user's rows, as they are created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from accounts.wallets.movements import Movement
from fido.lib.values.errors import DomainError
from transactions.imports import queries
from transactions.imports.checking import Fault
from transactions.imports.encoding import Encoded, Encoder
from transactions.imports.shares import Share
from transactions.loading import Load
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
    def load(self) -> Load:
        """What is to be inserted; there must be rows."""
        assert self.encoded.ids is not None
        return Load(
            user_id=self.user_id,
            moved=[DayMoved(*key, **vars(sums)) for key, sums in self.encoded.moved.items()],
            ids=self.encoded.ids,
            lines=self.encoded.lines,
            in_wallets=[
                Movement((UUID(each.wallet_id), each.currency), each.delta)
                for each in self.encoded.in_wallets
            ],
        )

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


def _faults(encoded: Encoded, refused: Mapping[int, DomainError]) -> dict[int, Fault]:
    return {
        encoded.in_wallets[place].line: Fault("wallet", refusal.code, refusal.detail)
        for place, refusal in refused.items()
    }
