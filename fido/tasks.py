"""Celery jobs that belong to no app."""

from typing import Any

from celery import shared_task

from fido.lib.api import idempotency


@shared_task(name="fido.purge_idempotency_keys")
def purge_idempotency_keys(**kwargs: Any) -> None:
    idempotency.purge()
