"""The queries of analytics, each in one statement and hence one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from django.db import connection
from django.db.models import F, OuterRef, Subquery, Sum

from accounts.models import User
from accounts.queries import user_ids_of
from analytics.models import DailyTotals
from fido.lib.process.statements import rows_of
from fido.lib.values import clock, money
from fido.lib.values.clock import Period
from fido.lib.values.crypto.fields import encrypted
from fido.lib.values.errors import DomainError, Kind

Interval = Literal["day", "week", "month"]
# 27 years of days in two currencies; about a second's work.
MAX_SERIES_ROWS = 20_000
# How recently a user must have been active.
ACTIVE_DAYS = 7


class SeriesTooLong(DomainError):
    code, title, kind = (
        "series-too-long",
        "The period has too many intervals: ask for less.",
        Kind.INVALID,
    )


@dataclass(frozen=True)
class Line:
    """The totals in one currency, in its units."""

    currency: str
    count: int
    credit: Decimal
    debit: Decimal

    def __add__(self, other: Line) -> Line:
        return Line(
            self.currency,
            self.count + other.count,
            money.added(self.credit, other.credit),
            money.added(self.debit, other.debit),
        )


@dataclass(frozen=True)
class Summary:
    """A user's totals in a period. `busiest` is a day and its count; None without transactions."""

    full_name: str | None
    currency: str
    lines: list[Line] = field(default_factory=list)
    busiest: tuple[date, int] | None = None

    @property
    def count(self) -> int:
        return sum(line.count for line in self.lines)


@dataclass(frozen=True)
class Difference:
    """The totals of a (user, day, currency), subtracted from what the transactions say."""

    user_id: int
    day: date
    currency: str
    count: int
    credit: Decimal
    debit: Decimal

    def __str__(self) -> str:
        """Amounts as stored, to the last decimal: rounded ones might look equal."""
        decimals = {"count": 0, "credit": money.MAX_DECIMALS, "debit": money.MAX_DECIMALS}
        lacking = ((name, getattr(self, name), places) for name, places in decimals.items())
        parts = ", ".join(
            f"{name} is {abs(value):.{places}f} too {'low' if value > 0 else 'high'}"
            for name, value, places in lacking
            if value
        )
        return f"{self.day}, {self.currency}: the totals' {parts}"


@dataclass(frozen=True)
class Split:
    """A period as whole days, `first <= day < last`, and the remainders at its two ends."""

    first: date | None
    last: date | None
    edges: tuple[Period, ...]


def split(period: Period) -> Split:
    """Whole days come from the totals; the partial days at both ends from transactions."""
    if period.start and period.start > clock.midnight(date.max):
        return Split(date.max, date.max, (period,))
    first, head = _first_whole_day(period.start)
    last, tail = _after_last_whole_day(period.end)
    if first and last and first > last:  # all within one day
        return Split(first, first, (period,))
    return Split(first, last, tuple(edge for edge in (head, tail) if edge))


def summary(*, user_id: int, period: Period) -> Summary | None:
    """A user's totals in a period; None: there is no such user."""
    rows = _rows(SUMMARY, user_id, period)
    if not rows:
        return None
    full_name, currency, day, count, *_ = rows[0]
    return Summary(
        full_name=encrypted(User, "full_name").from_db_value(full_name),
        currency=currency,
        lines=[Line(*row[4:]) for row in rows if row[4] is not None],
        busiest=None if day is None else (day, count),
    )


def series(*, user_id: int, period: Period, interval: Interval) -> dict[date, list[Line]]:
    """The totals of each non-empty interval, by the interval's first day, in order.

    Weeks begin on Monday. PostgreSQL adds the days up, so a long period costs little more here
    than a short one.

    Raises:
        SeriesTooLong: the period has more than MAX_SERIES_ROWS intervals times currencies.
    """
    bounds = {"interval": interval, "limit": MAX_SERIES_ROWS + 1}
    rows = _rows(SERIES, user_id, period, **bounds)
    if len(rows) > MAX_SERIES_ROWS:
        raise SeriesTooLong()
    found: dict[date, list[Line]] = defaultdict(list)
    for first_day, *line in rows:
        found[first_day].append(Line(*line))
    return dict(found)


def _rows(sql: str, user_id: int, period: Period, **more: Any) -> list[tuple[Any, ...]]:
    """What a statement about `parts` finds. Most periods are whole days, and need no edges."""
    parts = split(period)
    bounds: dict[str, Any] = {"user_id": user_id}
    bounds |= {"first": parts.first or "-infinity", "last": parts.last or "infinity"}
    for n, edge in enumerate(parts.edges):
        bounds |= {f"start_{n}": edge.start, f"end_{n}": edge.end or "infinity"}
    edges = "".join(EDGE.format(n=n) for n in range(len(parts.edges)))
    return rows_of(sql.format(parts=WHOLE_DAYS + edges), bounds | more)


WHOLE_DAYS = """
    SELECT day, currency, count, credit, debit
    FROM analytics_dailytotals
    WHERE user_id = %(user_id)s AND day >= %(first)s AND day < %(last)s
"""
EDGE = """
  UNION ALL
    SELECT (transaction_date AT TIME ZONE 'UTC')::date AS day, currency, count(*) AS count,
           coalesce(sum(transaction_amount) FILTER (WHERE transaction_type = 'credit'), 0),
           coalesce(sum(transaction_amount) FILTER (WHERE transaction_type = 'debit'), 0)
    FROM transactions_transaction
    WHERE user_id = %(user_id)s
      AND transaction_date >= %(start_{n})s AND transaction_date < %(end_{n})s
    GROUP BY 1, 2
"""
# One row for each currency, and one without a currency if there are no transactions.
SUMMARY = """
WITH parts AS ({parts}),
lines AS (
    SELECT currency, sum(count)::bigint AS count, sum(credit) AS credit, sum(debit) AS debit
    FROM parts GROUP BY currency HAVING sum(count) > 0
),
busiest AS (
    SELECT day, sum(count)::bigint AS count
    FROM parts GROUP BY day HAVING sum(count) > 0
    ORDER BY 2 DESC, day DESC LIMIT 1
)
SELECT person.full_name, person.currency, busiest.day, busiest.count,
       lines.currency, lines.count, lines.credit, lines.debit
FROM accounts_user AS person LEFT JOIN busiest ON true LEFT JOIN lines ON true
WHERE person.id = %(user_id)s
ORDER BY lines.currency
"""
SERIES = """
WITH parts AS ({parts})
SELECT date_trunc(%(interval)s, day::timestamp)::date AS first_day, currency,
       sum(count)::bigint, sum(credit), sum(debit)
FROM parts
GROUP BY first_day, currency HAVING sum(count) > 0
ORDER BY first_day, currency
LIMIT %(limit)s
"""


def most_active_users(limit: int) -> list[int]:
    """Active users with the most transactions in the last days, most first.

    It looks those days up for each user in the index that analytics have, so the cost grows with
    the number of users, not with their histories. An index on the day alone would take a third of
    the time, and every write would pay for it.
    """
    first = clock.now().date() - (ACTIVE_DAYS - 1) * clock.ONE_DAY
    of_user: Any = DailyTotals.objects.filter(user_id=OuterRef("pk"), day__gte=first)
    recent = of_user.values("user_id").annotate(n=Sum("count")).values("n")
    users = User.objects.filter(is_active=True).annotate(recent=Subquery(recent))
    ranked = users.order_by(F("recent").desc(nulls_last=True), "pk").values_list("pk", "recent")
    # Not in the statement, which would compute each sum twice.
    return [pk for pk, recent in ranked[:limit] if recent]


def users_with_pending_totals(at_once: int) -> Iterator[list[int]]:
    """Their ids in order, in batches."""
    return user_ids_of(DailyTotals.objects.filter(pending=True), at_once)


def differences(user_ids: list[int]) -> list[Difference]:
    """What these users' totals lack, compared with the transactions.

    One statement adds up the transactions and subtracts the totals, so no write can come between.
    """
    with connection.cursor() as cursor:
        cursor.execute(DIFFERENCES, {"user_ids": user_ids})
        return [Difference(*row) for row in cursor.fetchall()]


DIFFERENCES = """
SELECT user_id, day, currency,
       sum(count)::bigint AS count, sum(credit) AS credit, sum(debit) AS debit
FROM (
    SELECT user_id, (transaction_date AT TIME ZONE 'UTC')::date AS day, currency, 1 AS count,
           CASE transaction_type WHEN 'credit' THEN transaction_amount ELSE 0 END AS credit,
           CASE transaction_type WHEN 'debit' THEN transaction_amount ELSE 0 END AS debit
    FROM transactions_transaction
    WHERE user_id = ANY(%(user_ids)s)
  UNION ALL
    SELECT user_id, day, currency, -count, -credit, -debit
    FROM analytics_dailytotals
    WHERE user_id = ANY(%(user_ids)s)
) AS both_sides
GROUP BY user_id, day, currency
HAVING sum(count) <> 0 OR sum(credit) <> 0 OR sum(debit) <> 0
ORDER BY user_id, day, currency
"""


def _first_whole_day(start: datetime | None) -> tuple[date | None, Period | None]:
    if start is None or start == clock.midnight(start.date()):
        return (start and start.date()), None
    midnight = clock.next_midnight(start.date())
    return (midnight and midnight.date()), Period(start, midnight)


def _after_last_whole_day(end: datetime | None) -> tuple[date | None, Period | None]:
    if end is None:
        return None, None
    day = end.date()
    midnight = clock.midnight(day)
    return day, (Period(midnight, end) if end > midnight else None)
