"""The totals of the transactions that a filter finds, by currency and by category."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Q, Subquery, Sum, TextField
from django.db.models.functions import Cast, Coalesce, JSONObject, TruncDate

from accounts.models import User
from analytics.queries import Line
from fido.lib.values import money
from transactions.models import TransactionQuerySet

MOVED: dict[str, Any] = {
    "n": Count("id"),
    "in_": Coalesce(Sum("transaction_amount", filter=Q(transaction_type="credit")), money.ZERO),
    "out": Coalesce(Sum("transaction_amount", filter=Q(transaction_type="debit")), money.ZERO),
}
# As text, because psycopg reads a JSON number as a float.
MOVED_AS_TEXT: dict[str, Any] = {name: Cast(name, TextField()) for name in MOVED}


@dataclass(frozen=True)
class Breakdown:
    """`full_name` and `currency` are the named user's; the rest is about the transactions found.

    `categories` are ordered by name. Transactions without one are under None, which comes last.
    """

    full_name: str | None = None
    currency: str | None = None
    lines: list[Line] = field(default_factory=list)
    categories: dict[str | None, list[Line]] = field(default_factory=dict)
    busiest: tuple[date, int] | None = None


def breakdown(*, user_id: int, rows: TransactionQuerySet) -> Breakdown:
    """Add up `rows` in one statement, and therefore in one snapshot.

    It reads every row, because daily totals have no categories, names or single amounts. The
    statement also reads the user `user_id`; without such a user it finds nothing.
    """
    users = User.objects.filter(pk=user_id).annotate(
        parts=ArraySubquery(_parts(rows)), busy=Subquery(_busiest(rows))
    )
    row = users.values("full_name", "currency", "parts", "busy").first()
    return Breakdown() if row is None else _breakdown(row)


def _parts(rows: TransactionQuerySet) -> Any:
    groups: Any = rows.order_by().values("category", "currency").annotate(**MOVED)
    return groups.values_list(JSONObject(category="category", currency="currency", **MOVED_AS_TEXT))


def _busiest(rows: TransactionQuerySet) -> Any:
    days: Any = rows.order_by().annotate(on=TruncDate("transaction_date", tzinfo=UTC)).values("on")
    counted = days.annotate(n=Count("id")).order_by("-n", "-on")
    return counted.values_list(JSONObject(day="on", n="n"))[:1]


def _breakdown(row: dict[str, Any]) -> Breakdown:
    by_category: dict[str | None, list[Line]] = defaultdict(list)
    # None if Django knows that nothing can match, such as for a wallet that does not exist.
    for part in row["parts"] or []:
        by_category[part["category"]].append(_line(part))
    named = sorted(by_category, key=lambda category: (category is None, category))
    busy = row["busy"]
    return Breakdown(
        full_name=row["full_name"],
        currency=row["currency"],
        lines=_sums(line for lines in by_category.values() for line in lines),
        categories={category: _sums(by_category[category]) for category in named},
        busiest=(date.fromisoformat(busy["day"]), busy["n"]) if busy else None,
    )


def _line(part: dict[str, Any]) -> Line:
    credit, debit = Decimal(part["in_"]), Decimal(part["out"])
    return Line(part["currency"], int(part["n"]), credit, debit)


def _sums(lines: Iterable[Line]) -> list[Line]:
    sums: dict[str, Line] = {}
    for line in lines:
        present = sums.get(line.currency)
        sums[line.currency] = present + line if present else line
    return [sums[currency] for currency in sorted(sums)]
