"""Answers about a user's transactions, computed by the same code for requests and for warming."""

from datetime import date
from typing import Any

from analytics import queries
from analytics.breakdown import Breakdown
from analytics.headline import headline
from analytics.queries import Interval, Line
from fido.lib.cache.answers import Answer, Body
from fido.lib.values import clock, money
from fido.lib.values.clock import Period
from fido.lib.values.errors import NotFound

ALWAYS = Period()


def analytics(user_id: int, period: Period = ALWAYS, currency: str | None = None) -> Answer:
    """The analytics of a user, as that user sees them."""
    return Answer(
        "analytics",
        f"analytics {period} {currency}",
        lambda: analytics_body(user_id, period, currency),
    )


def series(user_id: int, period: Period, interval: Interval) -> Answer:
    """The series of a user, as that user sees it."""
    return Answer(
        "series", f"series {period} {interval}", lambda: series_body(user_id, period, interval)
    )


def analytics_body(user_id: int, period: Period, currency: str | None) -> Body:
    """Without a requested currency, the only one that was used, or the user's.

    Raises:
        NotFound: there is no such user.
    """
    summary = queries.summary(user_id=user_id, period=period)
    if summary is None:
        raise NotFound()
    used = summary.lines[0].currency if len(summary.lines) == 1 else summary.currency
    reporting = currency or used
    return {
        "user_id": user_id,
        "full_name": summary.full_name,
        "period": _period(period),
        "total_transactions": summary.count,
        **_busiest(summary.busiest),
        "currency": reporting,
        **headline(summary.lines, reporting),
        "by_currency": [_line(line) for line in summary.lines],
    }


def breakdown_body(subject_id: int | None, found: Breakdown, period: Period, currency: str) -> Body:
    """The totals of the found transactions, in the analytics answer's format, and by category.

    `subject_id` is None if they are everybody's. `currency` is used unless they have exactly one.
    """
    reporting = found.lines[0].currency if len(found.lines) == 1 else currency
    return {
        "user_id": subject_id,
        "full_name": found.full_name,
        "period": _period(period),
        "total_transactions": sum(line.count for line in found.lines),
        **_busiest(found.busiest),
        "currency": reporting,
        **headline(found.lines, reporting),
        "by_currency": [_line(line) for line in found.lines],
        "by_category": [_category(name, lines) for name, lines in found.categories.items()],
    }


def series_body(user_id: int, period: Period, interval: Interval) -> Body:
    rows = queries.series(user_id=user_id, period=period, interval=interval)
    return {
        "user_id": user_id,
        "interval": interval,
        "period": _period(period),
        "results": [_row(start, lines) for start, lines in rows.items()],
    }


def _row(start: date, lines: list[Line]) -> Body:
    return {
        "start": start.isoformat(),
        "total_transactions": sum(line.count for line in lines),
        "by_currency": [_totals(line) for line in lines],
    }


def _period(period: Period) -> dict[str, str | None]:
    return {
        "start": clock.text(period.start) if period.start else None,
        "end": clock.text(period.end) if period.end else None,
    }


def _category(name: str | None, lines: list[Line]) -> Body:
    return {
        "category": name,
        "total_transactions": sum(line.count for line in lines),
        "by_currency": [_line(line) for line in lines],
    }


def _busiest(busiest: tuple[date, int] | None) -> Body:
    day, day_count = busiest or (None, 0)
    return {"busiest_day": day and day.isoformat(), "busiest_day_transactions": day_count}


def _totals(line: Line) -> dict[str, Any]:
    return {
        "currency": line.currency,
        "total_transactions": line.count,
        "total_credit": money.text(line.credit, line.currency),
        "total_debit": money.text(line.debit, line.currency),
    }


def _line(line: Line) -> dict[str, Any]:
    average = money.divided(money.added(line.credit, line.debit), line.count)
    return _totals(line) | {"average_transaction_value": money.text(average, line.currency)}
