"""Celery jobs about rates."""

from typing import Any

from celery import shared_task

from accounts.rates import operations


@shared_task(name="rates.sync")
def sync(**kwargs: Any) -> None:
    operations.sync_if_due()
