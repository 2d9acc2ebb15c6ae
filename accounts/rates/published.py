"""What a bank publishes, and which of it is accepted.

The form is NBP's: a JSON list of one table, whose rows have `code` and `mid` (tables A and B), or
`code`, `bid` and `ask` (table C), in the base's units for one unit of the currency.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal, cast

from django.conf import settings

from accounts.rates.table import BASE, COLUMNS, ONE, Column, Rate
from fido.lib.values import clock
from fido.lib.values.money import CURRENCIES
from fido.lib.values.strict_json import read_json

Letter = Literal["A", "B", "C"]
Prices = dict[str, dict[str, Decimal]]
IN_TABLE: dict[Letter, tuple[Column, ...]] = {"A": ("mid",), "B": ("mid",), "C": ("bid", "ask")}

# With these limits a conversion is exact: see conversion.py.
SMALLEST, LARGEST, MAX_DECIMALS = Decimal("1e-9"), Decimal("1e9"), 18


class BadRates(Exception):
    """The bank's answer is not used. The detail repeats only currency codes from it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Published:
    """One table as the bank published it. `prices` leaves out what ISO 4217 does not know."""

    letter: Letter
    effective_date: date
    prices: Prices


def parse(letter: Letter, body: bytes) -> Published:
    """Parse a response body into a table.

    Raises:
        BadRates: the body is not such a table, or a price is invalid. Then none of it is used.
    """
    table = _only_table(letter, _json(letter, body))
    return Published(letter, _day(letter, table), _prices(letter, table))


def combined(tables: Mapping[Letter, Published]) -> dict[str, Rate]:
    """The rates of all currencies that have a mid. If A and B both have one, A's counts."""
    mids = {
        code: prices["mid"]
        for letter in ("B", "A")
        if (table := tables.get(cast(Letter, letter)))
        for code, prices in table.prices.items()
    }
    both = tables["C"].prices if "C" in tables else {}
    return {code: Rate(mid, **both.get(code, {})) for code, mid in mids.items()}


def require_order(rates: Mapping[str, Rate]) -> None:
    """The bank does not sell below its buying price, nor far from its own mid.

    Raises:
        BadRates
    """
    for code, rate in sorted(rates.items()):
        if rate.bid is None or rate.ask is None:
            continue
        if rate.bid > rate.ask:
            raise BadRates("bid-above-ask", f"{code}: the bid is above the ask.")
        for price in (rate.bid, rate.ask):
            _require_near(code, price, rate.mid, "its mid")


def require_likeness(new: Mapping[str, Rate], old: Mapping[str, Rate]) -> None:
    """A table that lacks a currency of the last one, or moves it far, is probably wrong.

    Raises:
        BadRates
    """
    for code, before in sorted(old.items()):
        for column in COLUMNS:
            last = before.column(column)
            now = new[code].column(column) if code in new else None
            if last is None:
                continue
            if now is None:
                raise BadRates("currency-missing", f"{code}: its {column} is missing.")
            _require_near(code, now, last, "that of the table in force")


def _require_near(code: str, price: Decimal, other: Decimal, what: str) -> None:
    factor = settings.RATES_MAX_FACTOR
    if price > other * factor or price * factor < other:
        raise BadRates(
            "moved-too-far", f"{code}: a rate differs by a factor of over {factor} from {what}."
        )


def _json(letter: Letter, body: bytes) -> Any:
    try:
        return read_json(body.decode("utf-8-sig"))
    except (ValueError, RecursionError, ArithmeticError):
        raise BadRates("not-json", f"Table {letter} is not valid JSON.") from None


def _only_table(letter: Letter, data: Any) -> dict[str, Any]:
    match data:
        case [{"table": str(named), "rates": [_, *_]} as table] if named.upper() == letter:
            return cast(dict[str, Any], table)
    raise BadRates("malformed", f"Table {letter} does not have the expected form.")


def _day(letter: Letter, table: dict[str, Any]) -> date:
    try:
        return clock.parse_day(table.get("effectiveDate"))
    except clock.MalformedTime:
        raise BadRates("malformed", f"Table {letter} has no valid effective date.") from None


def _prices(letter: Letter, table: dict[str, Any]) -> Prices:
    prices: Prices = {}
    for row in table["rates"]:
        code = row.get("code") if isinstance(row, dict) else None
        if not (isinstance(code, str) and re.fullmatch("[A-Z]{3}", code)):
            raise BadRates("malformed", f"Table {letter} has a row without a currency.")
        if code in prices:
            raise BadRates("duplicate", f"{code}: it is listed twice in table {letter}.")
        # Units of account, such as the XDR, are not money here; and a code may be new.
        if code in CURRENCIES:
            prices[code] = {name: _price(code, row.get(name)) for name in IN_TABLE[letter]}
    _drop_base(prices)
    if not prices:
        raise BadRates("malformed", f"Table {letter} has no currency.")
    return prices


def _price(code: str, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadRates("malformed", f"{code}: a rate is not a number.")
    # Checked before any arithmetic: 1e999999 is short to write and huge to print.
    if not SMALLEST <= value <= LARGEST:
        raise BadRates("out-of-bounds", f"{code}: a rate is not between {SMALLEST} and {LARGEST}.")
    price = Decimal(value)
    exponent = price.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > MAX_DECIMALS:
        raise BadRates("out-of-bounds", f"{code}: a rate has more than {MAX_DECIMALS} decimals.")
    return price


def _drop_base(prices: Prices) -> None:
    if any(price != ONE for price in prices.pop(BASE, {}).values()):
        raise BadRates("malformed", f"The rates are not in {BASE}.")
