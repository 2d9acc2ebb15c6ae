"""Who is to be checked next, and the state of standing checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Min, Sum

from accounts.models import User
from analytics import queries as totals
from analytics.checks.models import CheckedRange, Finding
from analytics.models import RecentWriter
from fido.lib.values import clock
from transactions import queries as transactions

# After this long a user is checked again, as soon as there is time: within a day even if no check
# runs for four hours.
DUE_AFTER = timedelta(hours=20)
# Without a round for this long, checks stand still.
LATE_AFTER = timedelta(minutes=5)

Found = dict[str, list[str]]


@dataclass(frozen=True)
class Turn:
    """Users to check, in the order of their ids, which are greater than `after`.

    `checked_at` is when the first of them was last checked; None: never.
    """

    after: int
    user_ids: list[int]
    checked_at: datetime | None

    @property
    def is_due(self) -> bool:
        return self.checked_at is None or clock.now() - self.checked_at >= DUE_AFTER


@dataclass(frozen=True)
class State:
    """Differences by kind, and when the first and the last of the users were last checked."""

    differences: dict[str, int]
    oldest: datetime | None
    latest: datetime | None

    @property
    def is_well(self) -> bool:
        return not any(self.differences.values())

    @property
    def is_late(self) -> bool:
        return self.latest is None or clock.now() - self.latest > LATE_AFTER


def differences_of(user_id: int) -> Found:
    """What is wrong with the user's rows, by kind, as the commands for operators say it.

    Each kind is one statement and hence one snapshot, so no write that goes on is a difference.
    """
    return {
        Finding.Kind.TOTALS: [*map(str, totals.differences([user_id]))],
        Finding.Kind.BALANCES: [*map(str, transactions.balance_differences([user_id]))],
        Finding.Kind.UNCHECKED: [],
    }


def recent_writers(limit: int) -> list[int]:
    """Who has written since the last check, the latest first."""
    return list(RecentWriter.objects.order_by("-id").values_list("user_id", flat=True)[:limit])


def next_turn(limit: int) -> Turn | None:
    """The users after those who were checked last; after the last one, the first ones again."""
    latest = CheckedRange.objects.order_by("checked_at", "last_user_id").last()
    after = latest.last_user_id if latest else 0
    ids = User.objects.order_by("pk").values_list("pk", flat=True)
    if not (user_ids := list(ids.filter(pk__gt=after)[:limit])):
        after, user_ids = 0, list(ids[:limit])
    if not user_ids:
        return None
    here = CheckedRange.objects.filter(last_user_id__gte=user_ids[0]).order_by("pk").first()
    return Turn(after, user_ids, here.checked_at if here else None)


def state() -> State:
    found = Finding.objects.values_list("kind").annotate(Sum("count"))
    times = CheckedRange.objects.aggregate(oldest=Min("checked_at"), latest=Max("checked_at"))
    return State(dict.fromkeys(Finding.Kind.values, 0) | dict(found), **times)
