"""What a statement consists of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Moment(StrEnum):
    """Which balance it is: before the statement's entries, or after them."""

    OPENING = "opening"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Account:
    """From here on, items are about this account. `currency` is that of its balances."""

    number: str
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """What the bank says that the account held; below zero is owed."""

    moment: Moment
    amount: Decimal
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A booked movement. `place` is where it is in the file: a line, or its number among entries.

    `day` is the day of booking, as the bank wrote it. `amount` is in units of the currency; below
    zero is a debit. A `currency` of None: the file does not tell. `name` is the other party's.
    `reference` is the bank's own, which banks do not always keep unique.
    """

    place: int
    day: date
    amount: Decimal
    currency: str | None
    name: str | None = None
    text: str | None = None
    reference: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A movement that is announced and not booked yet: it may still change."""

    place: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a movement cannot be read. `column` is a transaction's; the detail quotes nothing."""

    column: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A movement that cannot be read, with all the reasons."""

    place: int
    faults: tuple[Fault, ...]


Item = Account | Balance | Entry | Pending | Refused
Items = Iterator[Item]


class NotReadable(ValueError):
    """The file as a whole is not what it seems. The detail quotes nothing of it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail
