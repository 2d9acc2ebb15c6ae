"""Celery jobs that keep the totals short, and how one is asked for."""

import logging
from typing import Any

from celery import shared_task
from django_redis import get_redis_connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from analytics import operations

logger = logging.getLogger(__name__)

# Writes of this long are folded together.
FOLD_DELAY_SECONDS = 1
# How long a job that a dead worker took may keep others from being asked for.
WAITING_SECONDS = 300


@shared_task(name="analytics.fold_totals")
def fold_totals(user_id: int, **kwargs: Any) -> None:
    # Before the fold: what is written from here on asks for a job of its own.
    get_redis_connection().delete(_waiting_key(user_id))
    operations.fold(user_id)


@shared_task(name="analytics.sweep_totals")
def sweep_totals(**kwargs: Any) -> None:
    operations.fold_everybody()


def request_fold(user_id: int) -> None:
    """Queues the stats job of a user, unless one is waiting. Never raises: the sweep catches up."""
    try:
        if get_redis_connection().set(_waiting_key(user_id), 1, nx=True, ex=WAITING_SECONDS):
            fold_totals.apply_async((user_id,), countdown=FOLD_DELAY_SECONDS)
    except (RedisError, KombuError, OSError) as error:
        logger.warning("No stats job queued, the queue is away: %s", type(error).__name__)


def _waiting_key(user_id: int) -> str:
    return f"fido:{{{user_id}}}:fold-waiting"
