"""Celery jobs about accounts."""

from typing import Any

from celery import shared_task

from accounts import operations


@shared_task(name="accounts.purge_sessions")
def purge_sessions(**kwargs: Any) -> None:
    operations.purge_sessions()
