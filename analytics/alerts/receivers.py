"""Receives every new transaction, within the write that creates it."""

from collections import Counter
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from analytics.alerts import deliveries, marks, tasks
from analytics.alerts.models import PendingCheck
from analytics.alerts.operations import NewAlert
from analytics.alerts.signals import alerts_raised
from fido.lib.values.metrics import ALERTS
from transactions.signals import Change, Loaded, transactions_changed, transactions_loaded


@receiver(transactions_changed)
def mark_new(sender: Any, changes: list[Change], **kwargs: Any) -> list[PendingCheck]:
    new = marks.marks_of(changes)
    if new:
        _check_after_commit()
    return new


@receiver(transactions_loaded)
def mark_loaded(sender: Any, loaded: list[Loaded], **kwargs: Any) -> None:
    marks.mark_loaded(loaded)
    _check_after_commit()


@receiver(alerts_raised)
def count_alerts(sender: Any, alerts: list[NewAlert], **kwargs: Any) -> None:
    codes = Counter(alert.code for alert in alerts)
    transaction.on_commit(lambda: _count(codes), robust=True)


def _count(codes: Counter[int]) -> None:
    for code, number in codes.items():
        ALERTS.labels(str(code)).inc(number)


@receiver(alerts_raised)
def enqueue_deliveries(
    sender: Any, alerts: list[NewAlert], endpoints: dict[int, int], **kwargs: Any
) -> None:
    if endpoints:
        deliveries.enqueue({alert.id: alert.user_id for alert in alerts}, endpoints)
        transaction.on_commit(tasks.request_delivery, robust=True)


def _check_after_commit() -> None:
    # Robust: a queue that is away must not turn a committed write into an error.
    transaction.on_commit(tasks.request_check, robust=True)
