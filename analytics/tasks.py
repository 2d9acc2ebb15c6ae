"""Celery jobs that fold the totals, and how to request one."""

from typing import Any

from celery import shared_task

from analytics import operations, warming
from fido.lib.cache import jobs

# Writes within this time are folded together.
FOLD_DELAY_SECONDS = 1


@shared_task(name="analytics.fold_totals")
def fold_totals(user_id: int, **kwargs: Any) -> None:
    jobs.begun(fold_totals, user_id)
    operations.fold(user_id)


@shared_task(name="analytics.sweep_totals")
def sweep_totals(**kwargs: Any) -> None:
    operations.fold_everybody()


@shared_task(name="analytics.warm_cache")
def warm_cache(**kwargs: Any) -> None:
    warming.warm_most_active()


def request_fold(user_id: int) -> None:
    """Queue the user's stats job, unless one is pending. Never raises: the sweep catches up."""
    jobs.request(fold_totals, user_id, countdown=FOLD_DELAY_SECONDS)
