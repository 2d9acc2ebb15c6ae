"""Amounts and days as banks write them. Text becomes a Decimal, and nothing is ever a float."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Context, Decimal
from typing import TypeVar

from transactions.statements.items import Fault

T = TypeVar("T")
# More than any amount has, and short enough to be harmless.
LONGEST = 40
_COMMA = re.compile(r"\d*,\d*", re.ASCII)
_POINT = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII)
_CENTURY = 2000
# The default context rounds at 28 digits.
_EXACT = Context(prec=LONGEST)


class Malformed(ValueError):
    """A value that cannot be read; its text is for people, and quotes nothing."""


def with_comma(text: str) -> Decimal:
    """The amount of a SWIFT message: digits, a comma, and digits or none (`1234,5` or `12,`)."""
    if len(text) <= LONGEST and _COMMA.fullmatch(text) and len(text) > 1:
        return Decimal(text.replace(",", "."))
    raise Malformed("An amount has digits and a comma, such as 1234,50.")


def with_point(text: str) -> Decimal:
    """An amount with a decimal point, perhaps a sign, and perhaps commas between thousands."""
    if len(text) <= LONGEST:
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        match = _POINT.fullmatch(text)
        if match and (match[2] or match[3]):
            return Decimal(text)
    raise Malformed("An amount is a decimal number such as 1234.50.")


def trimmed(amount: Decimal) -> Decimal:
    """The amount without zeros at its end: banks write more than the currency has decimals."""
    return amount.normalize(_EXACT)


def day_of(year: int, month: int, day: int) -> date:
    """The day of these numbers.

    Some banks count months of 30 days, so the 29th and 30th of February mean its last day.
    """
    try:
        return date(year, month, day)
    except ValueError:
        if month == 2 and day in {29, 30}:
            return date(year, 3, 1) - timedelta(days=1)
        raise Malformed("There is no such day.") from None


def short_day(text: str) -> date:
    """`YYMMDD`: of the years 1970 to 2069."""
    if not (len(text) == 6 and text.isascii() and text.isdigit()):
        raise Malformed("A day has six digits: YYMMDD.")
    year = int(text[:2])
    century = _CENTURY if year < 70 else _CENTURY - 100
    return day_of(century + year, int(text[2:4]), int(text[4:6]))


class Faults:
    """Collects what is wrong with a movement, so that all of it is told at once."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def read(self, column: str, field: str, parse: Callable[[], T]) -> T | None:
        """What `parse` makes of the file's field; None if it raises Malformed."""
        try:
            return parse()
        except Malformed as error:
            self.found.append(Fault(column, f"{field}: {error}"))
            return None


def tidy(text: str) -> str | None:
    """The text with single spaces; None if nothing is left."""
    return " ".join(text.split()) or None
