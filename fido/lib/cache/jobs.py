"""Celery jobs for one user, with at most one pending in the queue at a time."""

import logging
from typing import Any

from django_redis import get_redis_connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from fido.lib.cache.redis_link import Away, link

logger = logging.getLogger(__name__)

# How long a job taken by a worker that died blocks new requests for it.
WAITING_SECONDS = 300


def request(task: Any, user_id: int, *, countdown: int) -> None:
    """Queue the user's job, unless one is pending. Never raises: a periodic sweep catches up."""
    try:
        # If Redis is known to be away, a write does not wait to learn it again.
        if link.ask(lambda client: _none_waits(client, task, user_id)):
            task.apply_async((user_id,), countdown=countdown)
    except (Away, RedisError, KombuError, OSError) as error:
        logger.warning("No %s queued, the queue is away: %s", task.name, type(error).__name__)


def begun(task: Any, user_id: int) -> None:
    """Call this first in the job: anything written from here on requests another job."""
    get_redis_connection().delete(_key(task, user_id))


def _none_waits(client: Any, task: Any, user_id: int) -> bool:
    """Whether no job of this user is pending; marks one as pending."""
    return bool(client.set(_key(task, user_id), 1, nx=True, ex=WAITING_SECONDS))


def _key(task: Any, user_id: int) -> str:
    return f"fido:{{{user_id}}}:{task.name}-waiting"
