"""Hears of every change to transactions, inside the database transaction that makes it."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from analytics import operations, tasks
from transactions.signals import Change, transactions_changed


@receiver(transactions_changed)
def append_totals(sender: Any, changes: list[Change], **kwargs: Any) -> None:
    # Appended, not added up in place: an upsert would make two writers of one day wait for each
    # other, and the row commits or rolls back with the transaction that it counts.
    for user_id in operations.append(changes):
        # Robust: a queue that is away must not turn a committed write into an error.
        # No partial: to log its error, Django asks for a __qualname__.
        transaction.on_commit(lambda id_=user_id: tasks.request_fold(id_), robust=True)  # type: ignore[misc]
