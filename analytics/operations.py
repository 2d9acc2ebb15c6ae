"""Everything that changes totals: append, fold, repair."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal

from django.db import connection, transaction

from analytics import queries
from analytics.models import DailyTotals
from fido.lib.cache import jobs
from fido.lib.cache.versioned_cache import write_fence
from transactions.models import Transaction
from transactions.signals import Change, DayMoved

# Arbitrary numbers that no other advisory locks use.
REPAIR_LOCK, FOLD_LOCK = 0x46_69_64_6F, 0x46_69_64_70
# How many users one statement folds.
USERS_AT_ONCE = 500

# One statement, so that a row is never counted twice or missed. The folded row takes the id of one
# that it replaces. A DELETE locks rows in no order that could be named, so two folds of the same
# users might each wait for the other: hence only one folds at a time. A second one does not wait,
# which would keep a worker's thread. Ordered for the sake of older releases, which know no turn.
# It marks the writers for standing checks, at most once between two checks of a user.
FOLD = """
WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(%(lock)s) AS is_ours),
taken AS (
    DELETE FROM analytics_dailytotals
    WHERE user_id = ANY(%(user_ids)s) AND pending AND (SELECT is_ours FROM turn)
    RETURNING id, user_id, day, currency, count, credit, debit
),
added AS (
    INSERT INTO analytics_dailytotals AS folded
        (id, user_id, day, currency, pending, count, credit, debit)
    SELECT (array_agg(id))[1], user_id, day, currency, false,
           sum(count), sum(credit), sum(debit)
    FROM taken
    GROUP BY user_id, day, currency
    ORDER BY user_id, day, currency
    ON CONFLICT (user_id, day, currency) WHERE NOT pending
    DO UPDATE SET count = folded.count + excluded.count,
                  credit = folded.credit + excluded.credit,
                  debit = folded.debit + excluded.debit
),
marked AS (
    INSERT INTO analytics_recentwriter (id, user_id)
    SELECT (array_agg(id))[1], user_id FROM taken GROUP BY user_id ORDER BY user_id
    ON CONFLICT (user_id) DO NOTHING
)
SELECT is_ours FROM turn
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


def pending_totals(changes: Iterable[Change]) -> list[DailyTotals]:
    """The rows to append: one for each (user, day, currency) that changed."""
    sums: dict[tuple[int, date, str], Sum] = defaultdict(Sum)
    for change in changes:
        for row, sign in ((change.before, -1), (change.after, +1)):
            if row is not None:
                sums[_key(row)].add(row, sign)
    changed = {key: total for key, total in sums.items() if total != Sum()}
    return [
        DailyTotals(user_id=user_id, day=day, currency=currency, **vars(total))
        for (user_id, day, currency), total in changed.items()
    ]


def append_moved(moved: Mapping[int, Iterable[DayMoved]]) -> None:
    """Append one pending row for each user, day and currency."""
    DailyTotals.objects.bulk_create(
        DailyTotals(user_id=user_id, **vars(on_day))
        for user_id, days in moved.items()
        for on_day in days
    )


def fold(user_ids: list[int]) -> bool:
    """Add these users' pending rows to the folded ones. No answer changes, whenever it runs.

    False: another fold is under way, and this one did nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(FOLD, {"user_ids": user_ids, "lock": FOLD_LOCK})
        is_ours: bool = cursor.fetchone()[0]
    return is_ours


def fold_everybody() -> bool:
    """Fold once for each user with pending rows; False: another fold came in between."""
    batches = queries.users_with_pending_totals(USERS_AT_ONCE)
    return all(all(jobs.together(fold, user_ids)) for user_ids in batches)


def repair(user_ids: list[int]) -> list[queries.Difference]:
    """Append what these users' totals lack; return those differences.

    They are appended like any write's, so this is correct while others write: in one snapshot a
    transaction and its totals are both there or both not. Only a second repair could count the same
    difference again; the lock prevents that.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [REPAIR_LOCK])
        differences = queries.differences(user_ids)
        DailyTotals.objects.bulk_create(
            DailyTotals(**vars(difference)) for difference in differences
        )
    for user_id in {difference.user_id for difference in differences}:
        with write_fence(user_id):
            pass  # this invalidates answers computed from the wrong totals
    return differences


def _key(row: Transaction) -> tuple[int, date, str]:
    return row.user_id, row.transaction_date.astimezone(UTC).date(), row.currency
