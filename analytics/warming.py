"""Computes answers ahead of requests, unless they are cached already."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from time import monotonic

from django.conf import settings
from redis.exceptions import RedisError
from redis.lock import Lock

from accounts import logins
from accounts.models import User
from analytics import answers, queries
from fido.lib.cache import versioned_cache
from fido.lib.cache.answers import keep_ready
from fido.lib.cache.redis_link import Away, link
from fido.lib.cache.versioned_cache import View
from fido.lib.process import watchdog
from fido.lib.values.metrics import WARMED_ANSWERS

LOCK = "fido:warming"
# An answer that outlives the next round, even a late one, is left alone.
LASTING_ROUNDS = 4 / 3


class Outcome(StrEnum):
    WARMED = "warmed"
    KEPT = "kept"
    SKIPPED = "skipped"


def warm(user_id: int) -> Outcome:
    """Warm the answers of a user's first read: the login, and analytics without parameters.

    They are cached just as a reader would cache them, so they cannot be stale either. A user who is
    inactive, or for whom a writer is registered, is skipped.

    Raises:
        Away: Redis is.
    """
    watchdog.progressed()  # if all answers are cached, PostgreSQL is not asked for long
    view = versioned_cache.look(user_id)
    if view is None:
        raise Away
    outcome = _warmed(view)
    WARMED_ANSWERS.labels(outcome).inc()
    return outcome


def _warmed(view: View) -> Outcome:
    answer = answers.analytics(view.user_id)
    if view.writer_stands:
        return Outcome.SKIPPED
    if _lasts(view, str(answer.question)):
        return Outcome.KEPT
    # After the lookup, like the answer itself. Names are not read, because none is needed.
    active = User.objects.filter(pk=view.user_id, is_active=True)
    user = active.only("session_epoch", "key_epoch", "is_staff").first()
    if user is None:
        return Outcome.SKIPPED
    logins.remember(view, user)
    if not keep_ready(view, answer):
        raise Away
    return Outcome.WARMED


def _lasts(view: View, question: str) -> bool:
    left = versioned_cache.seconds_left(view, question)
    return left > LASTING_ROUNDS * settings.WARM_SECONDS


def warm_most_active() -> None:
    """One round over the WARM_USERS most active users, unless another round is running.

    It ends in time for the next one; users it did not reach get their answers on their next read.
    """
    if not settings.WARM_USERS:
        return
    deadline = monotonic() + settings.WARM_SECONDS
    with suppress(Away), _alone() as alone:
        users = queries.most_active_users(settings.WARM_USERS) if alone else []
        for user_id in users:
            if monotonic() > deadline:
                return
            warm(user_id)


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this is the only round. The lock of a dead worker expires with the round.

    Raises:
        Away: Redis does not say.
    """
    lock: Lock = link.ask(lambda client: client.lock(LOCK, timeout=settings.WARM_SECONDS))
    alone = link.ask(lambda _: lock.acquire(blocking=False))
    try:
        yield alone
    finally:
        if alone:
            # Not through the link, which would treat an expired lock as an outage.
            with suppress(RedisError):
                lock.release()
