"""Fido whose imports commit some rows at a time: `celery -A tests.small_batches worker`.

Its sweep finds lost imports at once.
"""

from typing import Any

from celery.signals import worker_init

from fido.celery import app

__all__ = ["app"]


@worker_init.connect
def cut_small(**kwargs: Any) -> None:
    # Only now: they import models, and Django has to be set up for that.
    from transactions.imports import people, tasks  # noqa: PLC0415

    people.BATCH_ROWS = 20
    tasks.LOST_SECONDS = 0
