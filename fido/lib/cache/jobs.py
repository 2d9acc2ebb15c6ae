"""Celery jobs for everybody, of which at most one is pending in the queue."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from fido.lib.cache.redis_link import Away, Script, link, random_token
from fido.lib.cache.versioned_cache import Errand, taken_along
from fido.lib.process.database import is_busy, is_database_away, took_too_long

T = TypeVar("T")
logger = logging.getLogger(__name__)

# How long a job that was lost with its worker keeps others from being queued. Sweeps do not ask,
# because they do the work themselves.
WAITING_SECONDS = 30
# If rows of more users are locked, somebody has locked the table.
LOCKED_USERS = 10
# Marks a job as pending, unless one is. If it runs twice, because an answer was lost, it says the
# same again.
MARK = Script("""
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2])
    or redis.call('GET', KEYS[1]) == ARGV[1]
""")


class Places:
    """How many jobs of a kind may run at once in this process.

    They share a pool of threads. Jobs that last long must not take all of them.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Take a place, if one is free; False: do not wait, and leave the thread to others."""
        taken = self._free.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._free.release()


def request(task: Any, *, countdown: int) -> None:
    """Queue the job, to run in `countdown` seconds.

    If one is pending, that one will do. Inside a write fence, the request travels with its last
    step. Never raises: a periodic sweep catches up.
    """
    step = (MARK, [_key(task)], [random_token(), WAITING_SECONDS])
    errand = Errand(step, lambda marked: _queue(task, countdown) if marked else None)
    if not taken_along(errand):
        _run(errand, task)


def begun(task: Any) -> None:
    """Call this first in the job: anything written from here on requests another job."""
    with suppress(Away):  # the job needs PostgreSQL alone, and the mark lapses
        link.ask(lambda client: client.delete(_key(task)))


def together(work: Callable[[list[int]], T], user_ids: list[int]) -> list[T]:
    """Do the work for all these users at once; if that fails, for each of them alone.

    So a user whose rows cause an error, or stay locked, delays nobody else. The error is logged.
    Work that took too long is done for half of them, and then for the others.
    Raises only what says that the database is away, or that LOCKED_USERS wait for a lock.
    """
    try:
        return [work(user_ids)]
    except Exception as error:
        is_large = took_too_long(error)
        if is_database_away(error) and not (is_large or is_busy(error)):
            raise
        logger.exception("A job for users %s to %s failed.", user_ids[0], user_ids[-1])
    if len(user_ids) == 1:
        return []
    if not is_large:
        return _one_by_one(work, user_ids)
    half = len(user_ids) // 2
    return together(work, user_ids[:half]) + together(work, user_ids[half:])


def _one_by_one(work: Callable[[list[int]], T], user_ids: list[int]) -> list[T]:
    done, locked = list[T](), 0
    for user_id in user_ids:
        try:
            done.append(work([user_id]))
        except Exception as error:
            locked += is_busy(error)
            bears = took_too_long(error) or (is_busy(error) and locked < LOCKED_USERS)
            if is_database_away(error) and not bears:
                raise
            logger.exception("A job for users %s to %s failed.", user_id, user_id)
    return done


def _run(errand: Errand, task: Any) -> None:
    script, keys, arguments = errand.step
    try:
        # If Redis is known to be away, nobody waits to learn it again.
        errand.then(link.ask(lambda client: script.run(client, keys, *arguments)))
    except Away as error:
        _not_queued(task, error)


def _queue(task: Any, countdown: int) -> None:
    try:
        task.apply_async((), countdown=countdown)
    except (RedisError, KombuError, OSError) as error:
        _not_queued(task, error)


def _not_queued(task: Any, error: Exception) -> None:
    logger.warning("No %s queued, the queue is away: %s", task.name, type(error).__name__)


def _key(task: Any) -> str:
    return f"fido:{task.name}-waiting"
