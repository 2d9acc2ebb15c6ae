"""A foreign CSV's cells as a transaction's values, by a mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from transactions.files.columns import cut, fitting, max_length
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
from transactions.statements.values import Malformed, trimmed

# What the file says about a movement: equal in every file of the account that has it.
CONTENT = (
    *(Role.DATE, Role.AMOUNT, Role.TYPE, Role.SIGNED, Role.CREDIT, Role.DEBIT),
    *(Role.CURRENCY, Role.NAME, Role.DESCRIPTION, Role.USER_ID),
)
Values = dict[str, Any]
Cells = Sequence[str]
ReadAmount = Callable[[Cells, list[Fault]], Values]
ZERO = Decimal(0)


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
        self._places = Places(mapping, header)
        self._columns = {column.role: column for column in mapping.columns.values()}
        self._constants = dict(mapping.constants)
        self._constants.pop("transaction_type", None)
        self._amount = self._amount_reader(mapping)
        self._status = status_in(mapping, header)
        self._date = self._date_reader()
        self._texts = [
            (role.value, joined(self._places.of(role), max_length(role)))
            for role in (Role.NAME, Role.DESCRIPTION)
        ]
        # An empty cell leaves these to the constants and to the user's defaults.
        optional = (Role.CURRENCY, Role.WALLET, Role.EXTERNAL_ID, Role.CATEGORY, Role.USER_ID)
        self._optional = [
            (role.value, place)
            for role in optional
            if (place := self._places.only(role)) is not None
        ]

    def values(self, cells: Cells) -> tuple[Values, list[Fault]]:
        """The values, and what is wrong with those that are missing."""
        given: Values = self._constants.copy()
        for name, text in self._texts:
            given[name] = text(cells)
        for name, place in self._optional:
            if cell := cells[place].strip():
                given[name] = fitting(cell, name) if name == Role.CATEGORY else cell
        faults: list[Fault] = []
        try:
            given["transaction_date"] = self._date(cells)
        except Malformed as error:
            faults.append(Fault("transaction_date", f"Date: {error}"))
        try:
            self._status(cells)
        except Malformed as error:
            faults.append(Fault("", f"Status: {error}"))
        given |= self._amount(cells, faults)
        return given, faults

    def _date_reader(self) -> Callable[[Cells], Any]:
        place, column = self._places.of(Role.DATE)[0], self._columns[Role.DATE]
        read = dates.reader(column.format) if column.format else None

        def date(cells: Cells) -> Any:
            text = cells[place].strip()
            if not text:
                raise Malformed("it is empty.")
            return read(text) if read else text

        return date

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
            amount = read(text) if text else ZERO
            return amount.copy_negate() if negated else amount

        return number

    def _type(self, constants: Mapping[str, str]) -> Callable[[Cells], str]:
        if (constant := constants.get("transaction_type")) is not None:
            return lambda _: constant
        column, place = self._columns[Role.TYPE], self._places.of(Role.TYPE)[0]
        return _word_in(column, place, dict(zip(TYPES, TYPES, strict=True)))


def joined(places: list[int], length: int) -> Callable[[Cells], str | None]:
    """The text of these cells with single spaces, cut to the length; None if it is empty."""
    if len(places) == 1:
        place = places[0]
        return lambda cells: cut(" ".join(cells[place].split()), length) or None

    def text(cells: Cells) -> str | None:
        return (
            cut(" ".join(word for place in places for word in cells[place].split()), length) or None
        )

    return text


class _Signed:
    """Below zero is a debit."""

    def __init__(self, number: Callable[[Cells], Decimal]) -> None:
        self._number = number

    def __call__(self, cells: Cells, faults: list[Fault]) -> Values:
        try:
            amount = _moved(self._number(cells))
        except Malformed as error:
            faults.append(Fault("transaction_amount", f"Amount: {error}"))
            return {}
        kind = "debit" if amount < 0 else "credit"
        return {"transaction_amount": trimmed(amount.copy_abs()), "transaction_type": kind}


class _Typed:
    """Another column, or a constant, says which it is."""

    def __init__(self, number: Callable[[Cells], Decimal], kind: Callable[[Cells], str]) -> None:
        self._number, self._kind = number, kind

    def __call__(self, cells: Cells, faults: list[Fault]) -> Values:
        values: Values = {}
        try:
            values["transaction_amount"] = trimmed(_above(self._number(cells)))
        except Malformed as error:
            faults.append(Fault("transaction_amount", f"Amount: {error}"))
        try:
            values["transaction_type"] = self._kind(cells)
        except Malformed as error:
            faults.append(Fault("transaction_type", f"Type: {error}"))
        return values


class _Sides:
    """One column for credits, one for debits; the other is empty or zero."""

    def __init__(self, numbers: Mapping[Role, Callable[[Cells], Decimal]]) -> None:
        self._numbers = numbers

    def __call__(self, cells: Cells, faults: list[Fault]) -> Values:
        try:
            amount, kind = self._side(cells)
        except Malformed as error:
            faults.append(Fault("transaction_amount", f"Amount: {error}"))
            return {}
        return {"transaction_amount": amount, "transaction_type": kind}

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


def content_of(mapping: ColumnMapping, header: Cells) -> Callable[[Cells], list[str]]:
    """What of a row's cells tells it apart from others, and the account, which is its wallet."""
    places = Places(mapping, header)
    found = [place for role in CONTENT for place in places.of(role)]
    wallet = places.only(Role.WALLET)
    if wallet is not None:
        return lambda cells: [cells[place].strip() for place in (wallet, *found)]
    account = mapping.constants.get("wallet", "")
    return lambda cells: [account, *[cells[place].strip() for place in found]]
