"""Celery jobs of which at most one is pending in the queue: for one user, or for everybody."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django_redis import get_redis_connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from fido.lib.cache.redis_link import Away, link
from fido.lib.process.database import is_database_away

T = TypeVar("T")
logger = logging.getLogger(__name__)

# How long a job taken by a worker that died blocks new requests for it.
WAITING_SECONDS = 300
# The same for a job for everybody, whom it would delay.
WAITING_FOR_ALL_SECONDS = 30


def request(task: Any, user_id: int | None = None, *, countdown: int) -> None:
    """Queue the job, for this user or for everybody, to run in `countdown` seconds.

    If one is pending, that one will do. Never raises: a periodic sweep catches up.
    """
    try:
        # If Redis is known to be away, a write does not wait to learn it again.
        if link.ask(lambda client: _none_waits(client, task, user_id)):
            task.apply_async(() if user_id is None else (user_id,), countdown=countdown)
    except (Away, RedisError, KombuError, OSError) as error:
        logger.warning("No %s queued, the queue is away: %s", task.name, type(error).__name__)


def begun(task: Any, user_id: int | None = None) -> None:
    """Call this first in the job: anything written from here on requests another job."""
    get_redis_connection().delete(_key(task, user_id))


def together(work: Callable[[list[int]], T], user_ids: list[int]) -> list[T]:
    """Do the work for all these users at once; if that fails, for each of them alone.

    So a user whose rows cause an error delays nobody else. The error is logged.
    Raises only what says that the database is away.
    """
    try:
        return [work(user_ids)]
    except Exception as error:
        if is_database_away(error):
            raise
        logger.exception("A job for users %s to %s failed.", user_ids[0], user_ids[-1])
    if len(user_ids) == 1:
        return []
    return [result for user_id in user_ids for result in together(work, [user_id])]


def _none_waits(client: Any, task: Any, user_id: int | None) -> bool:
    """Whether no such job is pending; marks one as pending."""
    life = WAITING_FOR_ALL_SECONDS if user_id is None else WAITING_SECONDS
    return bool(client.set(_key(task, user_id), 1, nx=True, ex=life))


def _key(task: Any, user_id: int | None) -> str:
    whose = "" if user_id is None else f"{{{user_id}}}:"
    return f"fido:{whose}{task.name}-waiting"
