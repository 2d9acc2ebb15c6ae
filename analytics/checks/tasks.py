"""The Celery job of standing checks."""

from typing import Any

from celery import shared_task
from django.conf import settings

from analytics.checks import operations
from fido.lib.cache import jobs

ROUNDS = jobs.Places(1)


@shared_task(name="checks.run_round")
def run_round(**kwargs: Any) -> None:
    """One round, unless one is under way here, or none is wanted."""
    with ROUNDS.one() as is_free:
        if is_free and settings.CHECK_SECONDS:
            operations.run_round(seconds=settings.CHECK_SECONDS)
