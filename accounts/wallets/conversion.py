"""The contents of wallets, converted into one currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from accounts.rates import queries as rates
from accounts.rates.conversion import convert, cross_rate, total
from accounts.rates.table import ONE, Column, RateMissing, RateTable
from accounts.wallets import queries
from fido.lib.values.errors import NotFound

# Wallet, currency and amount.
Held = tuple[str, str, Decimal]


@dataclass(frozen=True)
class Line:
    """One balance. Without a rate `rate` is None, and so is `converted` unless it is zero."""

    wallet: str
    currency: str
    amount: Decimal
    rate: Decimal | None
    converted: Decimal | None


@dataclass(frozen=True)
class Converted:
    """`sum` adds the rounded lines, so that the displayed figures add up; None if one is missing.

    `rates_as_of` is None if nothing had to be converted.
    """

    lines: list[Line]
    rates_as_of: date | None
    sum: Decimal | None


def converted(*, user_id: int, name: str | None, target: str, column: Column) -> Converted:
    """The contents of the user's open wallets, or of the one with this name.

    Raises:
        NotFound: there is no such open wallet.
        RatesUnavailable: there are no rates yet, and one is needed.
    """
    held = _held(user_id, name)
    needed = any(currency != target and amount for _, currency, amount in held)
    table = rates.in_force() if needed else None
    lines = [_line(each, target, table, column) for each in held]
    amounts = [line.converted for line in lines if line.converted is not None]
    return Converted(
        lines=lines,
        rates_as_of=None if table is None else table.effective_date,
        sum=total(amounts) if len(amounts) == len(lines) else None,
    )


def _held(user_id: int, name: str | None) -> Sequence[Held]:
    """Ordered by wallet, then currency."""
    wallet_id: UUID | None = None
    if name is not None:
        wallet = queries.open_wallet(user_id, name)
        if wallet is None:
            raise NotFound()
        wallet_id = wallet.pk
    rows = queries.open_balances(user_id, wallet_id).order_by("wallet_id", "currency")
    found = list(rows.values_list("wallet_id", "currency", "amount"))
    named = queries.names([user_id], (id_ for id_, _, _ in found))
    return [(named[id_], currency, amount) for id_, currency, amount in found]


def _line(held: Held, target: str, table: RateTable | None, column: Column) -> Line:
    wallet, source, amount = held
    if source == target:
        return Line(wallet, source, amount, ONE, amount)
    # Zero is zero in any currency, even without a rate.
    unknown = Line(wallet, source, amount, None, None if amount else amount)
    if table is None:
        return unknown
    try:
        rate = cross_rate(source=source, target=target, table=table, column=column)
        result = convert(amount, source=source, target=target, table=table, column=column)
    except RateMissing:
        return unknown
    return Line(wallet, source, amount, rate, result)
