"""Celery jobs that keep the totals short, and how one is asked for."""

import logging
from typing import Any

from celery import shared_task
from django_redis import get_redis_connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from analytics import operations, warming
from fido.lib.redis_link import Away, link

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


@shared_task(name="analytics.warm_cache")
def warm_cache(**kwargs: Any) -> None:
    warming.warm_most_active()


def request_fold(user_id: int) -> None:
    """Queues the stats job of a user, unless one is waiting. Never raises: the sweep catches up."""
    try:
        # Where Redis is known to be away, no write waits to hear it again.
        if link.ask(lambda client: _none_waits(client, user_id)):
            fold_totals.apply_async((user_id,), countdown=FOLD_DELAY_SECONDS)
    except (Away, RedisError, KombuError, OSError) as error:
        logger.warning("No stats job queued, the queue is away: %s", type(error).__name__)


def _none_waits(client: Any, user_id: int) -> bool:
    """Whether no job of this user is waiting; the next one to ask hears that one is."""
    return bool(client.set(_waiting_key(user_id), 1, nx=True, ex=WAITING_SECONDS))


def _waiting_key(user_id: int) -> str:
    return f"fido:{{{user_id}}}:fold-waiting"
