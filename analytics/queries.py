"""The queries of analytics, each in one statement and hence one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any, Literal

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Count, DateField, F, OuterRef, Q, QuerySet, Subquery, Sum, TextField
from django.db.models.functions import Cast, Coalesce, JSONObject, Trunc, TruncDate

from accounts.models import User
from accounts.queries import user_ids_of
from analytics.models import DailyTotals
from fido.lib.values import clock, money
from fido.lib.values.clock import Period
from fido.lib.values.errors import DomainError, Kind
from transactions.models import Transaction

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
    parts = split(period)
    totals = _whole_days(user_id, parts)
    answers = {"lines": ArraySubquery(_lines(totals)), "busiest": Subquery(_busiest(totals))}
    if parts.edges:
        answers["edges"] = ArraySubquery(_edge_lines(user_id, parts))
    users = User.objects.filter(pk=user_id).annotate(**answers)
    row = users.values("full_name", "currency", *answers).first()
    return None if row is None else _summary(row)


def series(*, user_id: int, period: Period, interval: Interval) -> dict[date, list[Line]]:
    """The totals of each non-empty interval, by the interval's first day, in order.

    Weeks begin on Monday. PostgreSQL adds the days up, so a long period costs little more here
    than a short one.

    Raises:
        SeriesTooLong: the period has more than MAX_SERIES_ROWS intervals times currencies.
    """
    parts = split(period)
    rows = _by_interval(_whole_days(user_id, parts), F("day"), interval).annotate(**TOTALS)
    rows = rows.filter(n__gt=0)
    if parts.edges:
        edges = _by_interval(_edge_rows(user_id, parts), _utc_day(), interval)
        rows = rows.union(edges.annotate(**MOVED), all=True)
    found = list(rows[: MAX_SERIES_ROWS + 1])
    if len(found) > MAX_SERIES_ROWS:
        raise SeriesTooLong()
    sums: dict[date, dict[str, Line]] = defaultdict(dict)
    for first_day, *values in found:
        add_line(sums[first_day], Line(*values))
    return {first_day: in_order(sums[first_day]) for first_day in sorted(sums)}


def _by_interval(rows: Any, day: Any, interval: Interval) -> Any:
    first_day = Trunc(day, interval, output_field=DateField())
    return rows.annotate(first_day=first_day).values_list("first_day", "currency")


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


def differences(first_user_id: int, last_user_id: int) -> list[Difference]:
    """What the totals of users `first..last` (both included) lack, compared with the transactions.

    One statement adds up the transactions and subtracts the totals, so no write can come between.
    """
    bounds = {"first": first_user_id, "last": last_user_id}
    with connection.cursor() as cursor:
        cursor.execute(DIFFERENCES, bounds)
        return [Difference(*row) for row in cursor.fetchall()]


DIFFERENCES = """
SELECT user_id, day, currency,
       sum(count)::bigint AS count, sum(credit) AS credit, sum(debit) AS debit
FROM (
    SELECT user_id, (transaction_date AT TIME ZONE 'UTC')::date AS day, currency, 1 AS count,
           CASE transaction_type WHEN 'credit' THEN transaction_amount ELSE 0 END AS credit,
           CASE transaction_type WHEN 'debit' THEN transaction_amount ELSE 0 END AS debit
    FROM transactions_transaction
    WHERE user_id BETWEEN %(first)s AND %(last)s
  UNION ALL
    SELECT user_id, day, currency, -count, -credit, -debit
    FROM analytics_dailytotals
    WHERE user_id BETWEEN %(first)s AND %(last)s
) AS both_sides
GROUP BY user_id, day, currency
HAVING sum(count) <> 0 OR sum(credit) <> 0 OR sum(debit) <> 0
ORDER BY user_id, day, currency
"""

# Not `count`: an annotation may not have the name of a column.
TOTALS = {"n": Sum("count"), "in_": Sum("credit"), "out": Sum("debit")}
MOVED: dict[str, Any] = {
    "n": Count("id"),
    "in_": Coalesce(Sum("transaction_amount", filter=Q(transaction_type="credit")), money.ZERO),
    "out": Coalesce(Sum("transaction_amount", filter=Q(transaction_type="debit")), money.ZERO),
}


def _whole_days(user_id: int, parts: Split) -> QuerySet[DailyTotals]:
    rows = DailyTotals.objects.filter(user_id=user_id)
    if parts.first is not None:
        rows = rows.filter(day__gte=parts.first)
    return rows if parts.last is None else rows.filter(day__lt=parts.last)


def _edge_rows(user_id: int, parts: Split) -> QuerySet[Transaction]:
    rows = Transaction.objects.filter(user_id=user_id)
    return reduce(or_, (rows.within(edge) for edge in parts.edges))


def _utc_day() -> Any:
    return TruncDate("transaction_date", tzinfo=UTC)


def _by_day(rows: QuerySet[Transaction]) -> Any:
    days = rows.annotate(on=_utc_day())
    return days.values_list("on", "currency").annotate(**MOVED)


def as_text(*names: str) -> dict[str, Any]:
    # As text, because psycopg reads a JSON number as a float.
    return {name: Cast(name, TextField()) for name in names}


def _lines(totals: QuerySet[DailyTotals]) -> Any:
    rows: Any = totals.values("currency").annotate(**TOTALS)
    return rows.filter(n__gt=0).values_list(
        JSONObject(currency="currency", **as_text("n", "in_", "out"))
    )


def _busiest(totals: QuerySet[DailyTotals]) -> Any:
    days: Any = totals.values("day").annotate(n=Sum("count"))
    return days.filter(n__gt=0).order_by("-n", "-day").values_list(JSONObject(day="day", n="n"))[:1]


def _edge_lines(user_id: int, parts: Split) -> Any:
    rows = _by_day(_edge_rows(user_id, parts))
    return rows.values_list(JSONObject(day="on", currency="currency", **as_text("n", "in_", "out")))


def _summary(row: dict[str, Any]) -> Summary:
    lines: dict[str, Line] = {}
    busy: dict[date, int] = defaultdict(int)
    edges = row.get("edges", [])
    for part in [*row["lines"], *edges]:
        add_line(lines, line_of(part))
    for part in edges:
        busy[date.fromisoformat(part["day"])] += int(part["n"])
    if row["busiest"]:
        busy[date.fromisoformat(row["busiest"]["day"])] += row["busiest"]["n"]
    return Summary(
        full_name=row["full_name"],
        currency=row["currency"],
        lines=in_order(lines),
        # Most transactions first; of equal days the latest.
        busiest=max(busy.items(), key=lambda item: (item[1], item[0]), default=None),
    )


def line_of(part: dict[str, Any]) -> Line:
    credit, debit = Decimal(part["in_"]), Decimal(part["out"])
    return Line(part["currency"], int(part["n"]), credit, debit)


def add_line(lines: dict[str, Line], line: Line) -> None:
    present = lines.get(line.currency)
    lines[line.currency] = present + line if present else line


def in_order(lines: dict[str, Line]) -> list[Line]:
    return [lines[currency] for currency in sorted(lines)]


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
