"""A write whose first step did not reach Redis: the last one alone ends what was kept before."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import redis
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from fido.lib.cache import redis_link, versioned_cache
from fido.lib.cache.redis_link import Link
from fido.lib.cache.versioned_cache import View, write_fence
from tests.client import ApiClient
from tests.factories import record

T = TypeVar("T")
ADA, QUESTION, ANSWER = 1, "how much?", b"from before the write"
NOBODY_LISTENS = redis.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), retries=0))

pytestmark = pytest.mark.django_db(transaction=True)


class FirstStepLost(Link):
    """The way of another process, whose last step alone finds Redis.

    And it comes before that process ends the generation, which ends every answer as well.
    """

    def ask(self, work: Callable[[Any], T]) -> T:
        return super().ask(lambda client: work(NOBODY_LISTENS))

    def _went_down(self, error: str) -> None:
        pass


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Makes a write by that process, while this one reaches Redis all the time."""
    # Nor does the generation end because the machine is slow.
    monkeypatch.setattr(redis_link, "LEASE_SECONDS", 3600)

    def write(work: Callable[[], object]) -> None:
        link = FirstStepLost()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(versioned_cache, "link", link)
            work()
        assert link.is_down, "the first step was to be lost"

    return write


def look() -> View:
    view = versioned_cache.look(ADA)
    assert view
    return view


def fence_around_a_transaction() -> None:
    with write_fence(ADA), transaction.atomic():
        pass


def fence_inside_a_transaction() -> None:
    with transaction.atomic(), write_fence(ADA):
        pass


def a_write_that_is_refused() -> None:
    with pytest.raises(ValueError, match="no"), write_fence(ADA):
        raise ValueError("no")


@pytest.mark.parametrize(
    "write",
    [fence_around_a_transaction, fence_inside_a_transaction, a_write_that_is_refused],
)
def test_what_was_kept_before_is_not_found_after_the_last_step(
    lost: Callable[[Callable[[], object]], None], write: Callable[[], None]
) -> None:
    before = look()
    assert versioned_cache.keep(before, QUESTION, ANSWER)
    assert versioned_cache.find(look(), QUESTION) == ANSWER

    lost(write)

    after = look()
    assert versioned_cache.find(after, QUESTION) is None
    assert after.generation == before.generation, "so it is the version that has ended it"


def test_the_next_answer_shows_the_write(
    ada: ApiClient, lost: Callable[[Callable[[], object]], None]
) -> None:
    counted = [ada.get("/analytics") for _ in range(2)]
    assert [answer.headers["X-Cache"] for answer in counted] == ["miss", "hit"]

    lost(lambda: record(ada.user))  # type: ignore[arg-type]

    answer = ada.get("/analytics")
    assert answer.json()["total_transactions"] == 1
    assert answer.headers["X-Cache"] == "miss"
