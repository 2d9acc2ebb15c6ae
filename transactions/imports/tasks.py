"""Celery jobs that run imports."""

import logging
import threading
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_shutting_down
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from fido.lib.cache import jobs
from fido.lib.process.database import is_database_away
from transactions.imports import operations, queries, running, spool

logger = logging.getLogger(__name__)

# Out of a pool of threads that may have other jobs too, which do not wait for hours.
PLACES = jobs.Places(2)
BUSY_RETRY_SECONDS = 5
# Jobs of a queue begin in its order, and `resume_imports` waits no longer than this. So the job of
# an import that was submitted earlier has had its turn, found no place free, or is lost.
LOST_SECONDS = 30
# An upload that nothing was added to for this long was interrupted.
ABANDONED_SECONDS = 3600

_stopping = threading.Event()


@worker_shutting_down.connect
def stop_between_batches(**kwargs: Any) -> None:
    _stopping.set()


@shared_task(name="imports.run_import")
def run_import(user_id: int, import_id: str, **kwargs: Any) -> None:
    with PLACES.one() as is_free:
        if is_free:
            _run(user_id, UUID(import_id))
        else:
            request_import(user_id, UUID(import_id), countdown=BUSY_RETRY_SECONDS)


def _run(user_id: int, import_id: UUID) -> None:
    row = operations.claim(user_id=user_id, import_id=import_id)
    if row is not None:
        running.run(row, must_stop=_stopping.is_set)


@shared_task(name="imports.resume_imports")
def resume_imports(**kwargs: Any) -> None:
    """Run the imports whose job was lost: the queue was away, or the worker died.

    It queues none, so none is ever queued twice.
    """
    with PLACES.one() as is_free:
        for user_id, import_id in queries.waiting(LOST_SECONDS) if is_free else ():
            if not _stopping.is_set():
                _resume(user_id, import_id)


def _resume(user_id: int, import_id: UUID) -> None:
    try:
        _run(user_id, import_id)
    except Exception as error:
        if is_database_away(error):
            raise
        logger.exception("Import %s was interrupted.", import_id)  # the others go on


@shared_task(name="imports.remove_abandoned_uploads")
def remove_abandoned_uploads(**kwargs: Any) -> None:
    for import_id in set(spool.stale(ABANDONED_SECONDS)) - queries.unfinished():
        spool.discard(import_id)


def request_import(user_id: int, import_id: UUID, *, countdown: int = 0) -> None:
    """Queue the job. Never raises: `resume_imports` catches up."""
    try:
        run_import.apply_async((user_id, str(import_id)), countdown=countdown)
    except (RedisError, KombuError, OSError) as error:
        logger.warning("No import job queued, the queue is away: %s", type(error).__name__)
