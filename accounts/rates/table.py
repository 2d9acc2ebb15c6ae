"""A table of exchange rates as a value: the price of one unit of each currency in the base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from django.conf import settings

from fido.lib.values import clock
from fido.lib.values.errors import DomainError, Kind

BASE = "PLN"
ONE = Decimal(1)

Column = Literal["mid", "bid", "ask"]
COLUMNS: tuple[Column, ...] = ("mid", "bid", "ask")
Source = Literal["bank", "shipped"]


class RateMissing(DomainError):
    code, title = "rate-missing", "The table has no such rate."


class RatesUnavailable(DomainError):
    code, title, kind = "rates-unavailable", "There are no exchange rates yet.", Kind.UNAVAILABLE
    wait = 60


@dataclass(frozen=True)
class Rate:
    """The bank's prices for one unit, in the base. Not every currency has bid and ask.

    The bank buys the currency at `bid` and sells it at `ask`.
    """

    mid: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None

    def column(self, name: Column) -> Decimal | None:
        value: Decimal | None = getattr(self, name)
        return value


@dataclass(frozen=True)
class RateTable:
    """The rates in force on a day. `fetched_at` is when the bank last delivered them.

    `effective_date` is that of the mid rates; bid and ask may be a day ahead of them, and mid rates
    of rare currencies days behind.
    """

    effective_date: date
    fetched_at: datetime
    source: Source
    rates: Mapping[str, Rate]
    base: str = BASE

    def price(self, currency: str, column: Column) -> Decimal:
        """The price of one unit of the currency in the base; 1 for the base itself.

        Raises:
            RateMissing: the table lacks the currency, or its bid and ask.
        """
        if currency == self.base:
            return ONE
        rate = self.rates.get(currency)
        price = rate.column(column) if rate else None
        if price is None:
            raise RateMissing(f"There is no {column} rate for {currency}.")
        return price

    @property
    def stale(self) -> bool:
        """Whether the rates' day ended over RATES_STALE_HOURS ago."""
        end = clock.midnight(self.effective_date) + clock.ONE_DAY
        return clock.now() - end > timedelta(hours=settings.RATES_STALE_HOURS)

    def as_json(self) -> dict[str, Any]:
        """The answer of `GET /rates`, without the parts that depend on the time."""
        return {
            "base": self.base,
            "effective_date": self.effective_date.isoformat(),
            "fetched_at": clock.text(self.fetched_at),
            "source": self.source,
            "rates": {code: _rate_as_json(rate) for code, rate in sorted(self.rates.items())},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RateTable:
        return cls(
            base=data["base"],
            effective_date=date.fromisoformat(data["effective_date"]),
            fetched_at=clock.parse_moment(data["fetched_at"]),
            source=data["source"],
            rates={code: _rate_from_json(rate) for code, rate in data["rates"].items()},
        )


def text(rate: Decimal) -> str:
    """A rate in the format of answers: all its digits, and never an exponent."""
    return f"{rate:f}"


def _rate_as_json(rate: Rate) -> dict[str, str | None]:
    return {name: None if (it := rate.column(name)) is None else text(it) for name in COLUMNS}


def _rate_from_json(data: dict[str, str | None]) -> Rate:
    mid, bid, ask = (None if (it := data[name]) is None else Decimal(it) for name in COLUMNS)
    if mid is None:
        raise ValueError("a rate has a mid")
    return Rate(mid, bid, ask)
