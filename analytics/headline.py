"""A user's totals over all currencies, in one currency."""

from datetime import date
from decimal import Decimal

from accounts.rates import queries as rates
from accounts.rates.conversion import convert, total
from accounts.rates.table import RateMissing, RatesUnavailable, RateTable
from analytics.queries import Line
from fido.lib.values import money

NAMES = ("total_credit", "total_debit", "average_transaction_value", "rates_as_of")
Headline = dict[str, str | None]


def headline(lines: list[Line], currency: str) -> Headline:
    """Totals and average in the currency, converted at the mid rates in force if necessary.

    Each line's totals are rounded half-up, and the headline adds the rounded ones; the average is
    computed from the headline. All are null if a rate is missing.
    """
    if all(line.currency == currency for line in lines):
        return _shown(lines, currency, None)
    try:
        table = rates.in_force()
        converted = [_converted(line, currency, table) for line in lines]
    except (RatesUnavailable, RateMissing):
        return dict.fromkeys(NAMES)
    return _shown(converted, currency, table.effective_date)


def _converted(line: Line, currency: str, table: RateTable) -> Line:
    def into(amount: Decimal) -> Decimal:
        return convert(amount, source=line.currency, target=currency, table=table)

    return Line(currency, line.count, into(line.credit), into(line.debit))


def _shown(lines: list[Line], currency: str, rates_as_of: date | None) -> Headline:
    credit, debit = total(line.credit for line in lines), total(line.debit for line in lines)
    count = sum(line.count for line in lines)
    average = money.divided(money.added(credit, debit), count) if count else None
    return {
        "total_credit": money.text(credit, currency),
        "total_debit": money.text(debit, currency),
        "average_transaction_value": None if average is None else money.text(average, currency),
        "rates_as_of": rates_as_of.isoformat() if rates_as_of else None,
    }
