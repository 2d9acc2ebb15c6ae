"""What any transactions add up to, by currency and by category: those that a filter has found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Subquery
from django.db.models.functions import JSONObject, TruncDate

from accounts.models import User
from analytics.queries import MOVED, Line, add_line, as_text, in_order, line_of
from transactions.models import TransactionQuerySet


@dataclass(frozen=True)
class Breakdown:
    """`full_name` and `currency` are of the user that was named; the rest is of what was found.

    `categories` are in the order of their names, transactions without one under None, last.
    """

    full_name: str | None = None
    currency: str | None = None
    lines: list[Line] = field(default_factory=list)
    categories: dict[str | None, list[Line]] = field(default_factory=dict)
    busiest: tuple[date, int] | None = None


def breakdown(*, user_id: int, rows: TransactionQuerySet) -> Breakdown:
    """Adds up `rows` in one statement, and so in one snapshot.

    It reads each of the rows: daily totals know nothing of categories, names or amounts. The
    statement also reads who `user_id` is; without such a user nothing is found.
    """
    users = User.objects.filter(pk=user_id).annotate(
        parts=ArraySubquery(_parts(rows)), busy=Subquery(_busiest(rows))
    )
    row = users.values("full_name", "currency", "parts", "busy").first()
    return Breakdown() if row is None else _breakdown(row)


def _parts(rows: TransactionQuerySet) -> Any:
    groups: Any = rows.order_by().values("category", "currency").annotate(**MOVED)
    sums = as_text("n", "in_", "out")
    return groups.values_list(JSONObject(category="category", currency="currency", **sums))


def _busiest(rows: TransactionQuerySet) -> Any:
    days: Any = rows.order_by().annotate(on=TruncDate("transaction_date", tzinfo=UTC)).values("on")
    counted = days.annotate(n=Count("id")).order_by("-n", "-on")
    return counted.values_list(JSONObject(day="on", n="n"))[:1]


def _breakdown(row: dict[str, Any]) -> Breakdown:
    by_category: dict[str | None, list[Line]] = defaultdict(list)
    # None where Django can tell that nothing is found, as of a wallet that is not there.
    for part in row["parts"] or []:
        by_category[part["category"]].append(line_of(part))
    named = sorted(by_category, key=lambda category: (category is None, category))
    busy = row["busy"]
    return Breakdown(
        full_name=row["full_name"],
        currency=row["currency"],
        lines=_sums(line for lines in by_category.values() for line in lines),
        categories={category: _sums(by_category[category]) for category in named},
        busiest=(date.fromisoformat(busy["day"]), busy["n"]) if busy else None,
    )


def _sums(lines: Iterable[Line]) -> list[Line]:
    sums: dict[str, Line] = {}
    for line in lines:
        add_line(sums, line)
    return in_order(sums)
