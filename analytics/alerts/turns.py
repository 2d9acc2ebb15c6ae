"""Whose transactions the background checks next."""

from __future__ import annotations

import logging
import time

from django.db import DatabaseError

from analytics.alerts import operations, queries
from analytics.alerts.operations import Left
from fido.lib.cache import jobs
from fido.lib.process.database import took_too_long

logger = logging.getLogger(__name__)

# How many users are checked in one database transaction.
USERS_AT_ONCE = 100

# Of users whose steps have taken too long in this process. A later import of theirs is as slow.
REMEMBERED = 1_000
_rows_at_once: dict[int, int] = {}


def check_everybody(*, seconds: float) -> bool:
    """Check what is pending, for about `seconds`; return whether there may be more.

    Users with many transactions take turns, by one step each. Before each step the few of everybody
    are checked: an import delays others by no more than one step.
    """
    ends, latest = time.monotonic() + seconds, 0
    busy, failed = set[int](), set[int]()
    while time.monotonic() < ends:
        left = _check_few_of_everybody(ends)
        busy |= left.busy
        waiting = sorted(left.more - busy - failed)
        if not waiting:
            return bool(busy)
        latest = next((user_id for user_id in waiting if user_id > latest), waiting[0])
        step = jobs.together(_check_some, [latest])
        busy |= _all(step).busy
        failed |= set() if step else {latest}
    return True


def _check_few_of_everybody(ends: float) -> Left:
    left = list[Left]()
    for user_ids in queries.users_with_pending_checks(USERS_AT_ONCE):
        left += jobs.together(operations.check_few, user_ids)
        if time.monotonic() > ends:
            break
    return _all(left)


def _check_some(user_ids: list[int]) -> Left:
    return _all([_step(user_id) for user_id in user_ids])


def _step(user_id: int) -> Left:
    """A step of the user's history; if it takes too long, the next one is half as large."""
    rows = _rows_at_once.get(user_id, operations.ROWS)
    try:
        return operations.check_some(user_id, rows_at_once=rows)
    except DatabaseError as error:
        if not took_too_long(error) or rows == 1:
            raise
        logger.warning("%s rows of user %s took too long, and half are tried.", rows, user_id)
        if len(_rows_at_once) >= REMEMBERED:
            _rows_at_once.clear()
        _rows_at_once[user_id] = rows // 2
        return Left(more=frozenset([user_id]))


def _all(left: list[Left]) -> Left:
    more, busy = (each.more for each in left), (each.busy for each in left)
    return Left(frozenset().union(*more), frozenset().union(*busy))
