"""Marks, by which transactions of all routes but events are checked in the background."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from uuid import UUID

from analytics.alerts import queries
from analytics.alerts.models import PendingCheck
from fido.lib.values import clock
from fido.lib.values.ids import ranges
from transactions.models import Transaction
from transactions.signals import Change, Loaded

# The id of the transaction that its writer is recording and checks itself.
_checked_by_writer: ContextVar[UUID | None] = ContextVar("checked_by_writer", default=None)


@contextmanager
def checking_it_here(id_: UUID) -> Iterator[None]:
    """Inside, recording the transaction with this id leaves no mark."""
    token = _checked_by_writer.set(id_)
    try:
        yield
    finally:
        _checked_by_writer.reset(token)


def marks_of(changes: Iterable[Change]) -> list[PendingCheck]:
    """The marks that have new transactions checked; they are stored with these.

    An existing transaction is not checked again when it changes. But if its check is pending and it
    moves to another place in the order, the round may already have passed that place.
    """
    new: dict[int, dict[UUID, datetime]] = defaultdict(dict)
    for change in changes:
        row = change.after
        if row is None or row.pk == _checked_by_writer.get():
            continue
        if change.before is None or _moved_unchecked(change.before, row):
            new[row.user_id][row.pk] = row.transaction_date
    return [mark for user_id, moments in new.items() for mark in _marks(user_id, moments)]


def mark_loaded(loaded: Iterable[Loaded]) -> None:
    """Mark new transactions that are too many to list one by one."""
    PendingCheck.objects.bulk_create(_mark_of(each) for each in loaded)


def _mark_of(loaded: Loaded) -> PendingCheck:
    days = [each.day for each in loaded.moved]
    return PendingCheck(
        user_id=loaded.user_id,
        first=loaded.ids[0],
        last=loaded.ids[1],
        since=clock.midnight(min(days)),
        until=clock.next_midnight(max(days)) or clock.LAST_MOMENT,
    )


def _marks(user_id: int, moments: dict[UUID, datetime]) -> Iterator[PendingCheck]:
    since, until = min(moments.values()), max(moments.values())
    for first, last in ranges(moments):
        yield PendingCheck(user_id=user_id, first=first, last=last, since=since, until=until)


def _moved_unchecked(before: Transaction, after: Transaction) -> bool:
    stays = (before.transaction_date, before.currency) == (after.transaction_date, after.currency)
    return not stays and queries.is_marked(after)
