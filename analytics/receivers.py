"""Receives every change of transactions, within the write that makes it."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from analytics import operations, tasks
from analytics.models import DailyTotals
from transactions.signals import (
    Change,
    DayMoved,
    Loaded,
    transactions_changed,
    transactions_loaded,
    transactions_unloaded,
)


@receiver(transactions_changed)
def append_totals(sender: Any, changes: list[Change], **kwargs: Any) -> list[DailyTotals]:
    # Appended, not added up in place: an upsert would make two writers of one day wait for each
    # other. The row commits or rolls back with the transaction that it counts.
    rows = operations.pending_totals(changes)
    if rows:
        _fold_after_commit()
    return rows


@receiver(transactions_loaded)
def append_loaded(sender: Any, loaded: list[Loaded], **kwargs: Any) -> None:
    operations.append_moved({each.user_id: each.moved for each in loaded})
    _fold_after_commit()


@receiver(transactions_unloaded)
def append_unloaded(sender: Any, user_id: int, moved: list[DayMoved], **kwargs: Any) -> None:
    operations.append_moved({user_id: moved})
    _fold_after_commit()


def _fold_after_commit() -> None:
    # Robust: a queue that is away must not turn a committed write into an error.
    transaction.on_commit(tasks.request_fold, robust=True)
