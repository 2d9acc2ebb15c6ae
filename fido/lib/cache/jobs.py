"""Celery jobs of one user, of which at most one waits in the queue at a time."""

import logging
from typing import Any

from django_redis import get_redis_connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from fido.lib.cache.redis_link import Away, link

logger = logging.getLogger(__name__)

# How long a job that a dead worker took may keep others from being asked for.
WAITING_SECONDS = 300


def request(task: Any, user_id: int, *, countdown: int) -> None:
    """Queues the user's job, unless one is waiting. Never raises: a sweep has to catch up."""
    try:
        # Where Redis is known to be away, no write waits to hear it again.
        if link.ask(lambda client: _none_waits(client, task, user_id)):
            task.apply_async((user_id,), countdown=countdown)
    except (Away, RedisError, KombuError, OSError) as error:
        logger.warning("No %s queued, the queue is away: %s", task.name, type(error).__name__)


def begun(task: Any, user_id: int) -> None:
    """To be called first of all: what is written from here on asks for a job of its own."""
    get_redis_connection().delete(_key(task, user_id))


def _none_waits(client: Any, task: Any, user_id: int) -> bool:
    """Whether no job of this user is waiting; the next one to ask hears that one is."""
    return bool(client.set(_key(task, user_id), 1, nx=True, ex=WAITING_SECONDS))


def _key(task: Any, user_id: int) -> str:
    return f"fido:{{{user_id}}}:{task.name}-waiting"
