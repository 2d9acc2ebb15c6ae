"""Checks rows of a file by the same rules as the API's serializer.

They are written by hand, because a serializer takes longer than the rest of an import altogether; a
test compares the two on thousands of inputs. Nothing here needs Django's apps, so the processes
that run it start quickly and stay small.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from accounts.wallets import names
from fido.lib.values import clock, money
from fido.lib.values.strict_json import read_json
from fido.lib.values.words import parse_choice
from transactions.files.armour import bare
from transactions.files.columns import FREE_TEXT, NAMES, REQUIRED, max_length
from transactions.imports.bank_files import Unread
from transactions.imports.layout import CSV, Layout
from transactions.imports.reading import Raw, Unreadable
from transactions.imports.shares import Person
from transactions.mappings.mapping import parsed
from transactions.mappings.rows import Reader

# A transaction's values by column: checked, as Python types.
Values = dict[str, Any]
TYPES = ("credit", "debit")
_REQUIRED, _KNOWN = frozenset(REQUIRED), frozenset(NAMES)
# To someone who writes 0,50, 1.234 means over a thousand.
_THOUSANDS = re.compile(r"-?\d{1,3}(\.\d{3})+(,\d*)?")
_GROUPED = "Write thousands without a point: 1234,50."
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Fault:
    """Why a row was refused. `column` is "" for the whole row. It never quotes a value."""

    column: str
    code: str
    detail: str


NO_USER = Fault("user_id", "required", "The row does not say whose it is.")
UNKNOWN_USER = Fault("user_id", "unknown-user", "No such user.")


class RowRefused(ValueError):
    """The code and the detail of each error in a value, or in the row."""

    def __init__(self, *reasons: tuple[str, str]) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


class Checker:
    """Turns records of a file into checked rows of a person."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._foreign = _foreign(layout)
        with_comma = layout.form == CSV and layout.separator == ";" and not layout.mapping
        required: dict[str, Callable[[Any], Any]] = {
            "transaction_date": _moment if layout.mapping else clock.parse_moment,
            "transaction_amount": _amount_with_comma if with_comma else money.parse,
            "transaction_type": partial(parse_choice, choices=TYPES),
            "currency": money.parse_currency,
        }
        self._parsers: dict[str, Callable[[Any], Any]] = {
            **{name: partial(_present, parse=parse) for name, parse in required.items()},
            **{name: partial(_text, length=max_length(name)) for name in FREE_TEXT},
        }

    def check(self, raw: Raw, person: Person) -> Values | list[Fault]:
        """The row, or all its errors. If it says whose it is, that has to be the person."""
        if isinstance(raw, Unread):
            return [
                Fault(column, "invalid" if column else "malformed-row", detail)
                for column, detail in raw.faults
            ]
        try:
            given, unread = self._given(raw)
        except RowRefused as refusal:
            return _faults("", refusal)
        if person.user_id is None:
            return [UNKNOWN_USER if given.get("user_id") is not None else NO_USER]
        values, faults = self._parsed(given, unread, person)
        if not faults:
            faults = _decimals(values)
        return faults or values

    def _given(
        self, raw: list[str] | str | Unreadable | dict[str, Any]
    ) -> tuple[Values, list[Fault]]:
        """The values as the file has them, and what is wrong with those that it lacks."""
        if isinstance(raw, dict):
            return raw, []
        if isinstance(raw, str):
            return _of_json(raw), []
        cells = self._cells(raw)
        if self._foreign is None:
            return self._of_cells(cells), []
        given, unread = self._foreign.values(cells)
        # The last cell is the id that the file gives it.
        values = {"external_id": cells[-1]} | given
        return values, [Fault(each.column, "invalid", each.detail) for each in unread]

    def _parsed(
        self, given: Values, unread: list[Fault], person: Person
    ) -> tuple[Values, list[Fault]]:
        values, faults = {**person.defaults}, unread.copy()
        for name, value in given.items():
            parse = self._parsers.get(name)
            if parse is None:
                continue
            try:
                values[name] = parse(value)
            except ValueError as error:
                faults += _faults(name, error)
        try:
            values["wallet"] = _wallet(values["wallet"], person)
        except RowRefused as error:
            faults += _faults("wallet", error)
        if missing := sorted(_REQUIRED - given.keys() - _told(unread)):
            faults += [Fault(name, "required", "This field is required.") for name in missing]
        # Otherwise an export of many people would come in as the history of one.
        owner = given.get("user_id")
        if owner is not None and str(owner) != str(person.user_id):
            faults.append(Fault("user_id", "another-user", "The row is of another user."))
        if not given.keys() <= _KNOWN:
            faults.append(Fault("", "unknown", "The row has an unknown field."))
        return values, faults

    def _cells(self, cells: list[str] | Unreadable) -> list[str]:
        if isinstance(cells, Unreadable):
            detail = f"Up to line {cells.last_line}: a quote is out of place, or never closes."
            raise RowRefused(("malformed-row", detail))
        width = len(self._layout.columns)
        if len(cells) != width + (self._foreign is not None):
            raise RowRefused(("wrong-number-of-cells", f"The header has {width} columns."))
        return cells

    def _of_cells(self, cells: list[str]) -> Values:
        # An empty cell is null in a column that may be null; in others it counts as omitted.
        return {
            name: (bare(cell).strip() or None) if name in FREE_TEXT else cell.strip()
            for name, cell in zip(self._layout.columns, cells, strict=True)
            if name in FREE_TEXT or cell.strip()
        }


def _told(unread: list[Fault]) -> set[str]:
    """The columns that nobody has to be told of again."""
    columns = {fault.column for fault in unread}
    # A foreign amount says as well whether it is a credit.
    return columns | ({"transaction_type"} if "transaction_amount" in columns else set())


def _foreign(layout: Layout) -> Reader | None:
    return Reader(parsed(layout.mapping), layout.columns) if layout.mapping else None


def _of_json(line: str) -> Values:
    try:
        given = read_json(line)
    except (ValueError, RecursionError, ArithmeticError):
        raise RowRefused(("malformed-row", "The line cannot be read as JSON.")) from None
    if not isinstance(given, dict):
        raise RowRefused(("malformed-row", "The line is not a JSON object."))
    return given


def _moment(value: Any) -> datetime:
    """A foreign date was parsed by its format, unless that is ISO 8601."""
    return value if isinstance(value, datetime) else clock.parse_moment(value)


def _present(value: Any, *, parse: Callable[[Any], Any]) -> Any:
    if value is None:
        raise RowRefused(("null", "This field may not be null."))
    return parse(value)


def _amount_with_comma(value: Any) -> Decimal:
    """The amount in a file with decimal commas. Thousands separators are refused."""
    if _THOUSANDS.fullmatch(value):
        raise RowRefused(("invalid", _GROUPED))
    return money.parse(value.replace(",", "."))


def _text(value: Any, *, length: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise RowRefused(("invalid", "Not a valid string."))
    text = value.strip()
    if not text:
        raise RowRefused(("blank", "This field may not be blank."))
    if reasons := list(_against(text, length)):
        raise RowRefused(*reasons)
    return text


def _wallet(name: str | None, person: Person) -> str | None:
    """The id of the person's wallet with this name."""
    if name is None:
        return None
    id_ = person.wallets.get(names.normalised(name))
    if id_ is None:
        raise RowRefused(("unknown-wallet", "No such wallet."))
    return id_


def _against(text: str, length: int) -> Iterator[tuple[str, str]]:
    if len(text) > length:
        yield "max-length", f"Ensure this field has no more than {length} characters."
    if "\0" in text:
        yield "null-characters-not-allowed", "Null characters are not allowed."
    if _SURROGATE.search(text):
        yield "surrogate-characters-not-allowed", "Surrogate characters are not allowed."


def _decimals(values: Values) -> list[Fault]:
    try:
        money.require_decimals(values["transaction_amount"], values["currency"])
    except money.MalformedAmount as error:
        return _faults("transaction_amount", error)
    return []


def _faults(column: str, error: ValueError) -> list[Fault]:
    if isinstance(error, RowRefused):
        return [Fault(column, code, detail) for code, detail in error.reasons]
    return [Fault(column, getattr(error, "code", "invalid"), str(error))]
