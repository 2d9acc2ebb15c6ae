"""Everything that writes totals: append, fold, repair."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal

from django.db import connection, transaction

from analytics import queries
from analytics.models import DailyTotals
from fido.lib.cache.versioned_cache import write_fence
from transactions.models import Transaction
from transactions.signals import Change, DayMoved

REPAIR_LOCK = 0x46_69_64_6F  # an arbitrary number that no other advisory lock uses

# One statement, so that a row is never counted twice or missed. The folded row takes the id of one
# that it replaces. Ordered, so that two folds lock the days in one order.
FOLD = """
WITH taken AS (
    DELETE FROM analytics_dailytotals
    WHERE user_id = %(user_id)s AND pending
    RETURNING id, day, currency, count, credit, debit
)
INSERT INTO analytics_dailytotals AS folded
    (id, user_id, day, currency, pending, count, credit, debit)
SELECT (array_agg(id))[1], %(user_id)s, day, currency, false,
       sum(count), sum(credit), sum(debit)
FROM taken
GROUP BY day, currency
ORDER BY day, currency
ON CONFLICT (user_id, day, currency) WHERE NOT pending
DO UPDATE SET count = folded.count + excluded.count,
              credit = folded.credit + excluded.credit,
              debit = folded.debit + excluded.debit
"""


@dataclass
class Sum:
    count: int = 0
    credit: Decimal = Decimal(0)
    debit: Decimal = Decimal(0)

    def add(self, row: Transaction, sign: int) -> None:
        self.count += sign
        if row.transaction_type == Transaction.Type.CREDIT:
            self.credit += sign * row.transaction_amount
        else:
            self.debit += sign * row.transaction_amount


def append(changes: Iterable[Change]) -> set[int]:
    """Append one pending row for each (user, day, currency) that changed; return the users."""
    sums: dict[tuple[int, date, str], Sum] = defaultdict(Sum)
    for change in changes:
        for row, sign in ((change.before, -1), (change.after, +1)):
            if row is not None:
                sums[_key(row)].add(row, sign)
    changed = {key: total for key, total in sums.items() if total != Sum()}
    DailyTotals.objects.bulk_create(
        DailyTotals(user_id=user_id, day=day, currency=currency, **vars(total))
        for (user_id, day, currency), total in changed.items()
    )
    return {user_id for user_id, _, _ in changed}


def append_loaded(user_id: int, moved: Iterable[DayMoved]) -> None:
    """Append one pending row for each day and currency."""
    DailyTotals.objects.bulk_create(
        DailyTotals(user_id=user_id, **vars(on_day)) for on_day in moved
    )


def fold(user_id: int) -> None:
    """Add a user's pending rows to the folded ones. No answer changes, whenever it runs."""
    with connection.cursor() as cursor:
        cursor.execute(FOLD, {"user_id": user_id})


def fold_everybody() -> int:
    """Fold for every user with pending rows; return how many there were."""
    users = queries.users_with_pending_totals()
    for user_id in users:
        fold(user_id)
    return len(users)


def repair(*, first_user_id: int, last_user_id: int) -> list[queries.Difference]:
    """Append what these users' totals lack; return those differences.

    They are appended like any write's, so this is correct while others write: in one snapshot a
    transaction and its totals are both there or both not. Only a second repair could count the same
    difference again; the lock prevents that.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [REPAIR_LOCK])
        differences = queries.differences(first_user_id, last_user_id)
        DailyTotals.objects.bulk_create(
            DailyTotals(**vars(difference)) for difference in differences
        )
    for user_id in {difference.user_id for difference in differences}:
        with write_fence(user_id):
            pass  # this invalidates answers computed from the wrong totals
    return differences


def _key(row: Transaction) -> tuple[int, date, str]:
    return row.user_id, row.transaction_date.astimezone(UTC).date(), row.currency
