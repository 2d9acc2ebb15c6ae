"""Converts from one currency into another through the base. Decimal only, rounded once.

`column` applies to both legs: `bid` converts at what the bank pays for either currency, `ask` at
what it charges. It is not the price of a deal, in which the bank would buy one currency at its bid
and sell the other at its ask.
"""

from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from functools import reduce

from accounts.rates.table import ONE, Column, RateTable
from fido.lib.values import money

# The product of a total of 38 digits and a rate of 28 is exact, and the quotient has a hundred
# digits after the point. It is truncated, not rounded, so that rounding it half-up afterwards gives
# the same as rounding the true value.
_WIDE = Context(prec=200, rounding=ROUND_DOWN)
_SHOWN = Context(prec=10, rounding=ROUND_HALF_UP)


def convert(
    amount: Decimal, *, source: str, target: str, table: RateTable, column: Column = "mid"
) -> Decimal:
    """The amount in the target currency, rounded half-up to its decimals.

    Raises:
        RateMissing: only if the two currencies differ.
    """
    if source == target:
        return money.rounded(amount, target)
    in_base = _WIDE.multiply(amount, table.price(source, column))
    return money.rounded(_WIDE.divide(in_base, table.price(target, column)), target)


def cross_rate(*, source: str, target: str, table: RateTable, column: Column = "mid") -> Decimal:
    """One unit of the source in the target, to ten digits: for display, not for computing.

    Raises:
        RateMissing: only if the two currencies differ.
    """
    if source == target:
        return ONE
    return _SHOWN.divide(table.price(source, column), table.price(target, column))


def total(converted: Iterable[Decimal]) -> Decimal:
    """The exact sum of lines that are already rounded, so that the displayed figures add up."""
    return reduce(money.added, converted, money.ZERO)
