"""The rules of a transaction for rows of a file, as the API's serializer has them.

By hand, because a serializer takes longer than all the rest of an import together; a test
compares the two on thousands of inputs. Nothing here needs Django's apps: it runs in processes
that start in a blink and stay small.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fido.lib import clock, money
from fido.lib.strict_json import read_json
from transactions.csv_format import bare
from transactions.imports.layout import CSV, IGNORED, OPTIONAL, REQUIRED, Layout
from transactions.imports.reading import Raw

# What a transaction is made of, by column: checked, in Python's types.
Values = dict[str, Any]
NULLABLE = ("full_name", "description", "external_id")
TYPES = ("credit", "debit")
# 1.234 is a thousand and more to whoever writes 0,50.
_THOUSANDS = re.compile(r"-?\d{1,3}(\.\d{3})+(,\d*)?")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Fault:
    """Why a row was refused. `column` is "" for the whole row; no value is ever quoted."""

    column: str
    code: str
    detail: str


class Refused(ValueError):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Checker:
    """Turns what a file holds into rows.

    `defaults` stand for what a row leaves out: `full_name` and `currency`. `lengths` are the
    greatest of the text columns, in characters.
    """

    def __init__(self, layout: Layout, defaults: Values, lengths: dict[str, int]) -> None:
        self._layout = layout
        self._defaults = dict.fromkeys(OPTIONAL) | defaults
        self._parsers: dict[str, Callable[[Any], Any]] = {
            "transaction_date": clock.parse_moment,
            "transaction_amount": money.parse,
            "transaction_type": _type,
            "currency": _currency,
            **{name: partial(_text, length=lengths[name]) for name in NULLABLE},
        }

    def check(self, raw: Raw) -> Values | list[Fault]:
        """The row, or all that is wrong with it."""
        try:
            given = self._of_cells(raw) if self._layout.form == CSV else _of_json(raw)
        except Refused as refusal:
            return [Fault("", refusal.code, str(refusal))]
        values, faults = self._parsed(given)
        if not faults:
            faults = _decimals(values)
        return faults or values

    def _parsed(self, given: Values) -> tuple[Values, list[Fault]]:
        values, faults = self._defaults.copy(), []
        for name, value in given.items():
            parse = self._parsers.get(name)
            if parse is None:
                if name not in IGNORED:
                    faults.append(Fault("", "unknown", "There is a field that is not known."))
                continue
            try:
                values[name] = parse(value)
            except ValueError as error:
                faults.append(_fault(name, error))
        if not given.keys() >= REQUIRED:
            missing = sorted(REQUIRED - given.keys())
            faults += [Fault(name, "required", "This field is required.") for name in missing]
        return values, faults

    def _of_cells(self, cells: Any) -> Values:
        if cells is None:
            raise Refused("malformed-row", "A quote is out of place, or never closes.")
        columns = self._layout.columns
        if len(cells) != len(columns):
            raise Refused("wrong-number-of-cells", f"The header has {len(columns)} columns.")
        # An empty cell is null where null is a value, and left out where it is none.
        given: Values = {
            name: (bare(cell).strip() or None) if name in NULLABLE else cell.strip()
            for name, cell in zip(columns, cells, strict=True)
            if name in NULLABLE or cell.strip()
        }
        if self._layout.separator == ";" and "transaction_amount" in given:
            given["transaction_amount"] = _with_point(given["transaction_amount"])
        return given


def _of_json(line: Any) -> Values:
    try:
        given = read_json(line)
    except (ValueError, RecursionError, ArithmeticError):
        raise Refused("malformed-row", "The line is not JSON that can be read.") from None
    if not isinstance(given, dict):
        raise Refused("malformed-row", "The line is not a JSON object.")
    return given


def _with_point(amount: str) -> str:
    """The amount of a file whose decimals follow a comma. Groups of thousands are refused."""
    return "" if _THOUSANDS.fullmatch(amount) else amount.replace(",", ".")


def _type(value: Any) -> str:
    if value in TYPES:
        return str(value)
    raise Refused("invalid-choice", "Not one of the choices.")


def _currency(value: Any) -> str:
    if isinstance(value, str) and value in money.CURRENCIES:
        return value
    raise Refused("invalid-choice", "Not an ISO 4217 currency code.")


def _text(value: Any, *, length: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused("invalid", "Not a valid string.")
    text = value.strip()
    if not text:
        raise Refused("blank", "This field may not be blank.")
    if len(text) > length:
        raise Refused("max-length", f"At most {length} characters.")
    if "\0" in text:
        raise Refused("null-characters-not-allowed", "Null characters are not allowed.")
    if _SURROGATE.search(text):
        raise Refused("surrogate-characters-not-allowed", "Half a character is not allowed.")
    return text


def _decimals(values: Values) -> list[Fault]:
    try:
        money.require_decimals(values["transaction_amount"], values["currency"])
    except money.MalformedAmount as error:
        return [_fault("transaction_amount", error)]
    return []


def _fault(column: str, error: ValueError) -> Fault:
    return Fault(column, getattr(error, "code", "invalid"), str(error))
