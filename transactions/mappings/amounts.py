"""Amounts as a foreign CSV writes them. Text becomes a Decimal, and nothing is ever a float."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

from transactions.statements.values import LONGEST, Malformed

# Between thousands, as people type them.
SPACES = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
_ALIKE = {" ": SPACES, "'": APOSTROPHES}
_MINUS = str.maketrans(dict.fromkeys("\N{MINUS SIGN}\N{EN DASH}", "-"))
_PARENTHESES = re.compile(r"\((.+)\)")


def reader(decimal: str, thousands: str | None) -> Callable[[str], Decimal]:
    """What turns an amount's text into a Decimal.

    `thousands` of None: any usual sign between thousands; "": none. The text may have a sign before
    or after it, parentheses for a negative, and a currency's symbol. It raises Malformed.
    """
    signs = _group_signs(decimal, thousands)
    point = re.escape(decimal)
    plain = re.compile(rf"(\d+)(?:{point}(\d*))?|{point}(\d+)", re.ASCII)
    groups = rf"\d{{1,3}}(?:([{re.escape(signs)}])\d{{3}})(?:\1\d{{3}})*"
    grouped = re.compile(rf"{groups}(?:{point}\d*)?", re.ASCII) if signs else None
    simple = re.compile(
        rf"-?\d{{1,{LONGEST // 2}}}(?:{point}\d{{1,{LONGEST // 2 - 1}}})?", re.ASCII
    )
    others = str.maketrans(dict.fromkeys(signs))

    def read(text: str) -> Decimal:
        if simple.fullmatch(text):  # most of them
            return Decimal(text.replace(decimal, "."))
        digits, negative = _unsigned(text)
        if grouped and grouped.fullmatch(digits):
            digits = digits.translate(others)
        if len(digits) > LONGEST or not plain.fullmatch(digits):
            raise Malformed(f"The amount is not a number such as 1234{decimal}50.")
        amount = Decimal(digits.replace(decimal, "."))
        return amount.copy_negate() if negative else amount

    return read


def symbols(text: str) -> set[str]:
    """The symbols of currencies in an amount's text."""
    return {letter for letter in text if unicodedata.category(letter) == "Sc"}


def _group_signs(decimal: str, thousands: str | None) -> str:
    if thousands is None:
        return ("," if decimal == "." else ".") + SPACES + APOSTROPHES
    return _ALIKE.get(thousands, thousands)


def _unsigned(text: str) -> tuple[str, bool]:
    """The digits and what is between them; whether it is below zero."""
    text = text.translate(_MINUS).strip()
    negative = False
    if inside := _PARENTHESES.fullmatch(text):
        text, negative = inside[1].strip(), True
    text = _without_symbol(text)
    if text[:1] in {"-", "+"}:
        sign, text = text[0], _without_symbol(text[1:].strip())
    elif text[-1:] in {"-", "+"}:
        sign, text = text[-1], text[:-1].strip()
    else:
        return text, negative
    if negative:
        raise Malformed("The amount has two signs.")
    return text, sign == "-"


def _without_symbol(text: str) -> str:
    if text.isascii() and "$" not in text:
        return text
    if text and unicodedata.category(text[0]) == "Sc":
        return text[1:].strip()
    if text and unicodedata.category(text[-1]) == "Sc":
        return text[:-1].strip()
    return text
