"""Amounts of money: Decimal throughout, with the number of decimals that ISO 4217 gives the
currency.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from iso4217 import Currency

from fido.lib.values.words import meant

# A column holds 15 digits before the point and up to 4 after it (CLF, UYW).
INTEGER_DIGITS = 15
MAX_DECIMALS = 4
ZERO = Decimal(0)
AMOUNT_DIGITS = INTEGER_DIGITS + MAX_DECIMALS
# A sum of 10**9 amounts of 15 digits needs 24; 34 leave room for more than any ledger will reach.
TOTAL_DIGITS = 38

# Metals, testing codes and the like have no minor unit, and nobody moves them as money. Babel was
# rejected as the source: its decimals follow CLDR, which differs from ISO 4217 (IQD 0 instead of 3,
# AFN 0 instead of 2).
CURRENCIES: dict[str, int] = {
    str(currency.code): currency.exponent for currency in Currency if currency.exponent is not None
}
CURRENCY_NAMES = {code: str(Currency(code).currency_name) for code in CURRENCIES}

# The default context rounds at 28 digits, fewer than a total may have.
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class UnknownCurrency(ValueError):
    """Not the ISO 4217 code of a currency with a minor unit."""

    code = "invalid-choice"


class MalformedAmount(ValueError):
    """Not an amount that can be recorded; `code` is stable, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse(value: object) -> Decimal:
    """Parse a positive amount, sent as a decimal string or a JSON number.

    Raises:
        MalformedAmount: anything else, zero, a negative, or more than 15 digits before the point.
    """
    amount = _finite(value)
    if amount <= 0:
        raise MalformedAmount("not-positive", "The amount must be greater than zero.")
    return _bounded(amount)


def parse_signed(value: object) -> Decimal:
    """Like `parse`, but may be negative: an amount to add or withdraw.

    Raises:
        MalformedAmount: anything else, zero, or more than 15 digits before the point.
    """
    amount = _finite(value)
    if amount == 0:
        raise MalformedAmount("zero", "The amount must not be zero.")
    return _bounded(amount)


def parse_held(value: object) -> Decimal:
    """Like `parse`, but may be zero: an amount that is held.

    Raises:
        MalformedAmount: anything else, a negative, or more than 15 digits before the point.
    """
    amount = _finite(value)
    if amount < 0:
        raise MalformedAmount("negative", "The amount must not be negative.")
    # JSON can write -0, and 0e999999.
    return _bounded(amount) if amount else ZERO


def _finite(value: object) -> Decimal:
    amount = _decimal(value)
    if not amount.is_finite():
        raise MalformedAmount("invalid", "An amount is a finite decimal number.")
    return amount


def _bounded(amount: Decimal) -> Decimal:
    # Checked before any arithmetic: 1e999999 is short to write and huge to print.
    if amount.adjusted() >= INTEGER_DIGITS:
        raise MalformedAmount("too-large", f"At most {INTEGER_DIGITS} digits before the point.")
    return amount


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    # bool is an int. 10**400 is refused by size before it becomes a Decimal of 400 digits.
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= 10**INTEGER_DIGITS:
            raise MalformedAmount("too-large", f"At most {INTEGER_DIGITS} digits before the point.")
        return Decimal(value)
    if isinstance(value, str) and len(value) <= 64 and _PLAIN.fullmatch(value):
        return Decimal(value)
    raise MalformedAmount("invalid", 'An amount is a decimal number such as "100.00".')


def parse_currency(value: object) -> str:
    """The currency's code in capitals; small letters will do.

    Raises:
        UnknownCurrency: anything else.
    """
    if isinstance(value, str) and value.isascii() and (code := value.upper()) in CURRENCIES:
        return code
    near = meant(value, CURRENCIES)
    hint = f"Did you mean `{near}`?" if near else "It has three letters, such as EUR."
    raise UnknownCurrency(f"Not an ISO 4217 currency code. {hint}")


def decimals(currency: str) -> int:
    """The currency's decimals; 2 for one that ISO 4217 has withdrawn since it was recorded."""
    return CURRENCIES.get(currency, 2)


def require_decimals(amount: Decimal, currency: str) -> None:
    """Refuse more decimals than the currency has: we have no right to round a client's money.

    Raises:
        MalformedAmount: the amount has too many decimals.
    """
    exponent = amount.as_tuple().exponent
    places = decimals(currency)
    if isinstance(exponent, int) and -exponent > places:
        most = f"at most {places}" if places else "no"
        message = f"Amounts are in units of {currency}, with {most} decimals."
        raise MalformedAmount("too-many-decimals", message)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The amount rounded half-up to the currency's number of decimals."""
    return amount.quantize(Decimal(1).scaleb(-decimals(currency)), context=_EXACT)


def added(one: Decimal, other: Decimal) -> Decimal:
    """The exact sum: `+` would round it at 28 digits."""
    return _EXACT.add(one, other)


def divided(amount: Decimal, count: int) -> Decimal:
    """The quotient to 60 digits, so that rounding it half-up afterwards is correct."""
    return _EXACT.divide(amount, Decimal(count))


def text(amount: Decimal, currency: str) -> str:
    """The amount in the format of answers: `100.00`, never an exponent, never a float."""
    return f"{rounded(amount, currency):f}"
