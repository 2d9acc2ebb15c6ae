"""Celery jobs that fold the totals, and how to request one."""

from typing import Any

from celery import shared_task

from analytics import operations, warming
from fido.lib.cache import jobs

# Writes within this time are folded together.
FOLD_DELAY_SECONDS = 1


@shared_task(name="analytics.fold_totals")
def fold_totals(user_id: int | None = None, **kwargs: Any) -> None:
    """Fold for everybody. `user_id` comes only from earlier releases, which queued it for one."""
    jobs.begun(fold_totals)
    _fold()


@shared_task(name="analytics.sweep_totals")
def sweep_totals(**kwargs: Any) -> None:
    """Fold what no job took: the queue was away, or a worker died."""
    _fold()


@shared_task(name="analytics.warm_cache")
def warm_cache(**kwargs: Any) -> None:
    warming.warm_most_active()


def request_fold() -> None:
    """Queue the stats job, unless one is pending. Never raises: the sweep catches up."""
    jobs.request(fold_totals, countdown=FOLD_DELAY_SECONDS)


def _fold() -> None:
    if not operations.fold_everybody():
        # The other fold may have passed these users before they wrote.
        request_fold()
