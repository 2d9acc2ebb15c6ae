"""Encodes checked rows for PostgreSQL's COPY, with names and descriptions encrypted.

It runs in separate processes (see `lanes`), because encryption is most of an import's work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet

from fido.lib.values import clock, money
from fido.lib.values.crypto.blind import digest, normalised_name
from fido.lib.values.ids import Block
from transactions.files.columns import IMPORTABLE, SECRET
from transactions.imports.checking import Checker, Fault, Values
from transactions.imports.layout import Layout
from transactions.imports.shares import Person, Share

# The order of the cells in each line.
COLUMNS = (
    *("id", "user_id", "full_name_index"),
    *("wallet_id" if name == "wallet" else name for name in IMPORTABLE),
    *("recorded_by", "version", "created_at", "updated_at"),
)
NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NONE: Mapping[int, Fault] = {}
TAKEN = Fault("external_id", "external-id-taken", "There is a transaction with this external_id.")


@dataclass(frozen=True)
class Recipe:
    """How to encode one import's rows. The keys are the newest of their rings."""

    layout: Layout
    fernet_key: str
    index_key: bytes
    index_label: str


@dataclass
class Moved:
    """The totals of rows on one day in one currency."""

    count: int = 0
    credit: Decimal = money.ZERO
    debit: Decimal = money.ZERO

    def add(self, values: Values) -> None:
        kind = values["transaction_type"]
        self.count += 1
        setattr(self, kind, money.added(getattr(self, kind), values["transaction_amount"]))


@dataclass(frozen=True)
class InWallet:
    """The change of a balance by the row on one line."""

    line: int
    wallet_id: str
    currency: str
    delta: Decimal


@dataclass
class Encoded:
    """A person's rows, ready for COPY. `ids` are the first and the last one's.

    `faults` have line numbers, `in_wallets` is in the order of lines.
    """

    lines: bytes = b""
    rows: int = 0
    ids: tuple[UUID, UUID] | None = None
    moved: dict[tuple[date, str], Moved] = field(default_factory=dict)
    external_ids: list[str] = field(default_factory=list)
    in_wallets: list[InWallet] = field(default_factory=list)
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    refused: int = 0


class Encoder:
    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._checker = Checker(recipe.layout)
        self._fernet = Fernet(recipe.fernet_key)
        self._cells: dict[str, Callable[[Any], str]] = {
            name: self._token if name in SECRET else _CELLS.get(name, _text) for name in IMPORTABLE
        }

    def encode(
        self,
        share: Share,
        taken: Collection[str] = (),
        unsettled: Mapping[int, Fault] = _NONE,
    ) -> Encoded:
        """Encode a person's valid rows, without those whose external id is `taken` or repeated.

        `unsettled` are the lines that their wallets refuse, with the reason.
        """
        encoded, seen = Encoded(), set(taken)
        lines: list[tuple[str, str]] = []
        now, block = clock.now().isoformat(), Block()
        for number, raw in share.records:
            checked = self._checker.check(raw, share.person)
            if isinstance(checked, dict) and number in unsettled:
                checked = [unsettled[number]]
            if isinstance(checked, dict):
                checked = _first(checked, seen)
            if isinstance(checked, dict):
                id_ = block.id(len(lines))
                lines.append(
                    (checked["external_id"] or "", self._line(checked, share.person, now, id_))
                )
                _count(encoded, number, checked)
            else:
                encoded.refused += 1
                encoded.faults += [(number, fault) for fault in checked]
        # Bulks are inserted in the same order, so that two writers of the same external ids do not
        # deadlock.
        lines.sort(key=itemgetter(0))
        encoded.lines, encoded.rows = "".join(line for _, line in lines).encode(), len(lines)
        encoded.ids = (block.id(0), block.id(max(len(lines) - 1, 0)))
        return encoded

    def _line(self, values: Values, person: Person, now: str, id_: UUID) -> str:
        cells = [str(id_), str(person.user_id), self._index(values["full_name"])]
        cells += [cell(values[name]) for name, cell in self._cells.items()]
        by = person.recorded_by
        cells += [NULL if by is None else str(by), "1", now, now]
        return "\t".join(cells) + "\n"

    def _token(self, text: str | None) -> str:
        # A token is base64, which is unchanged in bytea's escape format.
        return NULL if text is None else self._fernet.encrypt(text.encode()).decode()

    def _index(self, name: str | None) -> str:
        if name is None:
            return NULL
        recipe = self._recipe
        return "\\\\x" + digest(recipe.index_key, recipe.index_label, normalised_name(name)).hex()


def _text(value: str | None) -> str:
    return NULL if value is None else value.translate(_ESCAPES)


_CELLS: dict[str, Callable[[Any], str]] = {
    "transaction_date": datetime.isoformat,
    "transaction_amount": "{:f}".format,
}


def _first(values: Values, seen: set[str]) -> Values | list[Fault]:
    """The row, unless its external id has been seen."""
    external_id = values["external_id"]
    if external_id in seen:
        return [TAKEN]
    if external_id is not None:
        seen.add(external_id)
    return values


def _count(encoded: Encoded, number: int, values: Values) -> None:
    key = (values["transaction_date"].date(), values["currency"])
    encoded.moved.setdefault(key, Moved()).add(values)
    if values["external_id"] is not None:
        encoded.external_ids.append(values["external_id"])
    if values["wallet"] is not None:
        amount: Decimal = values["transaction_amount"]
        delta = amount if values["transaction_type"] == "credit" else -amount
        encoded.in_wallets.append(InWallet(number, values["wallet"], values["currency"], delta))
