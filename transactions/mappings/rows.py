"""A foreign CSV's cells as a transaction's values, by a mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from transactions.files.columns import fitting
from transactions.mappings import amounts, dates
from transactions.mappings.mapping import (
    STATES,
    TYPES,
    Column,
    ColumnMapping,
    Role,
    plain,
)
from transactions.statements.items import Fault
from transactions.statements.values import Faults, Malformed, tidy, trimmed

# What the file says about a movement: equal in every file of the account that has it.
CONTENT = (
    *(Role.DATE, Role.AMOUNT, Role.TYPE, Role.SIGNED, Role.CREDIT, Role.DEBIT),
    *(Role.CURRENCY, Role.NAME, Role.DESCRIPTION),
)
Values = dict[str, Any]
Cells = Sequence[str]
ReadAmount = Callable[[Cells, Faults], tuple[Decimal, str] | None]


class WrongColumns(ValueError):
    """The file lacks a column of the mapping."""


class Places:
    """Where a mapping's columns are in a file."""

    def __init__(self, mapping: ColumnMapping, header: Cells) -> None:
        """Raises WrongColumns. Of columns with one name the first counts."""
        names = [plain(name) for name in header]
        if missing := [name for name in mapping.columns if plain(name) not in names]:
            raise WrongColumns(f"The file lacks the column `{missing[0]}`.")
        self._by_role: dict[Role, list[int]] = {}
        for name, column in mapping.columns.items():
            self._by_role.setdefault(column.role, []).append(names.index(plain(name)))
        for places in self._by_role.values():
            places.sort()

    def of(self, role: Role) -> list[int]:
        """In the order of the file, whatever that of the mapping: a database may change it."""
        return self._by_role.get(role, [])

    def only(self, role: Role) -> int | None:
        return next(iter(self.of(role)), None)


class Reader:
    """Turns the cells of a row into values, which the rules for all files then check."""

    def __init__(self, mapping: ColumnMapping, header: Cells) -> None:
        """Raises WrongColumns."""
        self._places = places = Places(mapping, header)
        self._columns = {column.role: column for column in mapping.columns.values()}
        date = self._columns[Role.DATE]
        self._day = dates.reader(date.format) if date.format else None
        self._date_place = places.of(Role.DATE)[0]
        self._amount = self._amount_reader(mapping)
        self._constants = dict(mapping.constants)
        self._constants.pop("transaction_type", None)
        self._status = status_in(mapping, header)
        self._plain = [
            (role.value, place)
            for role in (Role.CURRENCY, Role.WALLET, Role.EXTERNAL_ID)
            if (place := places.only(role)) is not None
        ]

    def values(self, cells: Cells) -> tuple[Values, list[Fault]]:
        """The values, and what is wrong with those that are missing."""
        faults = Faults()
        given: Values = self._texts(cells) | self._constants
        given |= {name: cell for name, place in self._plain if (cell := cells[place].strip())}
        date = cells[self._date_place].strip()
        day = faults.read("transaction_date", "Date", lambda: self._read_day(date))
        if day is not None:
            given["transaction_date"] = day
        faults.read("", "Status", lambda: self._status(cells))
        if (moved := self._amount(cells, faults)) is not None:
            given["transaction_amount"], given["transaction_type"] = moved
        return given, faults.found

    def _read_day(self, text: str) -> str:
        if not text:
            raise Malformed("it is empty.")
        return self._day(text) if self._day else text

    def _texts(self, cells: Cells) -> Values:
        name, category = (self._text(cells, role) for role in (Role.NAME, Role.CATEGORY))
        parts = [cells[place] for place in self._places.of(Role.DESCRIPTION)]
        texts = {"full_name": name, "description": tidy(" ".join(parts))}
        return {column: fitting(text, column) for column, text in texts.items()} | (
            {"category": fitting(category, "category")} if category else {}
        )

    def _text(self, cells: Cells, role: Role) -> str | None:
        place = self._places.only(role)
        return None if place is None else tidy(cells[place])

    def _amount_reader(self, mapping: ColumnMapping) -> ReadAmount:
        read = amounts.reader(mapping.decimal or ".", mapping.thousands)
        if Role.SIGNED in self._columns:
            return _Signed(self._number(Role.SIGNED, read))
        if Role.AMOUNT in self._columns:
            return _Typed(self._number(Role.AMOUNT, read), self._type(mapping.constants))
        sides = [role for role in (Role.CREDIT, Role.DEBIT) if role in self._columns]
        return _Sides({role: self._number(role, read) for role in sides})

    def _number(self, role: Role, read: Callable[[str], Decimal]) -> Callable[[Cells], Decimal]:
        place, negated = self._places.of(role)[0], self._columns[role].negate

        def number(cells: Cells) -> Decimal:
            text = cells[place].strip()
            amount = read(text) if text else Decimal(0)
            return amount.copy_negate() if negated else amount

        return number

    def _type(self, constants: Mapping[str, str]) -> Callable[[Cells], str]:
        if (constant := constants.get("transaction_type")) is not None:
            return lambda _: constant
        column, place = self._columns[Role.TYPE], self._places.of(Role.TYPE)[0]
        return _word_in(column, place, dict(zip(TYPES, TYPES, strict=True)))


class _Signed:
    """Below zero is a debit."""

    def __init__(self, number: Callable[[Cells], Decimal]) -> None:
        self._number = number

    def __call__(self, cells: Cells, faults: Faults) -> tuple[Decimal, str] | None:
        amount = faults.read("transaction_amount", "Amount", lambda: _moved(self._number(cells)))
        if amount is None:
            return None
        return trimmed(amount.copy_abs()), "debit" if amount < 0 else "credit"


class _Typed:
    """Another column, or a constant, says which it is."""

    def __init__(self, number: Callable[[Cells], Decimal], kind: Callable[[Cells], str]) -> None:
        self._number, self._kind = number, kind

    def __call__(self, cells: Cells, faults: Faults) -> tuple[Decimal, str] | None:
        amount = faults.read("transaction_amount", "Amount", lambda: _above(self._number(cells)))
        kind = faults.read("transaction_type", "Type", lambda: self._kind(cells))
        return None if amount is None or kind is None else (trimmed(amount), kind)


class _Sides:
    """One column for credits, one for debits; the other is empty or zero."""

    def __init__(self, numbers: Mapping[Role, Callable[[Cells], Decimal]]) -> None:
        self._numbers = numbers

    def __call__(self, cells: Cells, faults: Faults) -> tuple[Decimal, str] | None:
        return faults.read("transaction_amount", "Amount", lambda: self._side(cells))

    def _side(self, cells: Cells) -> tuple[Decimal, str]:
        found = [
            (trimmed(_above(amount)), "credit" if role is Role.CREDIT else "debit")
            for role, number in self._numbers.items()
            if (amount := number(cells))
        ]
        if len(found) == 1:
            return found[0]
        raise Malformed("both columns have one." if found else "it is empty or zero.")


def _moved(amount: Decimal) -> Decimal:
    if not amount:
        raise Malformed("it is empty or zero.")
    return amount


def _above(amount: Decimal) -> Decimal:
    if _moved(amount) < 0:
        raise Malformed("it is below zero in a column that is not signed.")
    return amount


def status_in(mapping: ColumnMapping, header: Cells) -> Callable[[Cells], str]:
    """What says whether a row is `booked` or `pending`; it raises Malformed."""
    place = Places(mapping, header).only(Role.STATUS)
    if place is None:
        return lambda _: STATES[0]
    column = next(each for each in mapping.columns.values() if each.role is Role.STATUS)
    return _word_in(column, place, {})


def _word_in(column: Column, place: int, known: Mapping[str, str]) -> Callable[[Cells], str]:
    words = dict(known) | {plain(word): kind for word, kind in (column.values or {}).items()}

    def meaning(cells: Cells) -> str:
        try:
            return words[plain(cells[place])]
        except KeyError:
            raise Malformed("the mapping has no such word among its `values`.") from None

    return meaning


def content_of(mapping: ColumnMapping, header: Cells) -> Callable[[Cells], Iterator[str]]:
    """What of a row's cells tells it apart from others, and the account, which is its wallet."""
    places = Places(mapping, header)
    found = [place for role in CONTENT for place in places.of(role)]
    wallet = places.only(Role.WALLET)
    constant = mapping.constants.get("wallet", "")

    def parts(cells: Cells) -> Iterator[str]:
        yield constant if wallet is None else cells[wallet].strip()
        for place in found:
            yield cells[place].strip()

    return parts
