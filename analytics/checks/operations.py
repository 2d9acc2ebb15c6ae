"""Standing checks: a round each minute. They report differences, and repair none."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from django.db import DatabaseError, transaction
from django.db.models import Max, Q

from accounts.models import User
from analytics.checks import queries
from analytics.checks.models import CheckedRange, Finding
from analytics.checks.queries import Found, Turn
from analytics.models import RecentWriter
from fido.lib.process.database import is_database_away, limited_to, took_too_long
from fido.lib.values import clock
from fido.lib.values.metrics import CHECKED_USERS

logger = logging.getLogger(__name__)

# A user is checked by two statements, and the clock is looked at before each user. So a round ends
# at most twice as long after its time.
STATEMENT_SECONDS = 5
# A round has time for fewer; the marks of others stay.
MOST_WRITERS = 10_000
USERS_AT_ONCE = 100


def run_round(*, seconds: float) -> None:
    """Check recent writers for half of the time at most, then others in turn."""
    ends = time.monotonic() + seconds
    with limited_to(seconds=STATEMENT_SECONDS):
        _check_writers(ends - seconds / 2)
        _check_others(ends)


def check(user_id: int) -> None:
    """Compare the user's totals and balances with the transactions, and keep what is found."""
    found = _found(user_id)
    known = set(Finding.objects.filter(user_id=user_id).values_list("kind", flat=True))
    for kind, differences in found.items():
        if differences:
            _report(user_id, kind, differences)
        elif kind in known:
            Finding.objects.filter(user_id=user_id, kind=kind).delete()
    if not found[Finding.Kind.UNCHECKED]:
        CHECKED_USERS.inc()


def _check_writers(ends: float) -> None:
    for user_id in queries.recent_writers(MOST_WRITERS):
        if time.monotonic() >= ends:
            return
        # Before the check: what is written from here on leaves another mark.
        RecentWriter.objects.filter(user_id=user_id).delete()
        check(user_id)


def _check_others(ends: float) -> None:
    """One turn, and more if they are due: few users are checked often, and many in time."""
    turn = queries.next_turn(USERS_AT_ONCE)
    while turn and time.monotonic() < ends:
        _take(turn, ends)
        turn = queries.next_turn(USERS_AT_ONCE)
        if turn and not turn.is_due:
            return


def _take(turn: Turn, ends: float) -> None:
    began, last = clock.now(), turn.after
    for user_id in turn.user_ids:
        if time.monotonic() >= ends:
            break
        check(user_id)
        last = user_id
    if last > turn.after:
        _remember(turn.after, last, began)


def _remember(after: int, last: int, checked_at: datetime) -> None:
    passed = Q(last_user_id__gt=after, last_user_id__lte=last)
    # Of users whom someone has deleted by hand; it would look older and older.
    gone = Q(last_user_id__gt=User.objects.aggregate(last=Max("pk"))["last"])
    with transaction.atomic():
        CheckedRange.objects.filter(passed | gone).delete()
        CheckedRange.objects.create(last_user_id=last, checked_at=checked_at)


def _found(user_id: int) -> Found:
    """Also that a user's rows cannot be checked, which must not keep others from their turn."""
    try:
        return queries.differences_of(user_id)
    except DatabaseError as error:
        if is_database_away(error) and not took_too_long(error):
            raise
        return {Finding.Kind.UNCHECKED: [type(error.__cause__ or error).__name__]}


def _report(user_id: int, kind: str, differences: list[str]) -> None:
    values = {"count": len(differences), "first": differences[0]}
    _, is_new = Finding.objects.get_or_create(user_id=user_id, kind=kind, defaults=values)
    if is_new:
        # Without amounts: the staff page shows them.
        logger.error("A check of user %s found: %s (%s).", user_id, kind, len(differences))
    else:
        Finding.objects.filter(user_id=user_id, kind=kind).update(**values)
