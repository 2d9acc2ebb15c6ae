"""A step that runs twice revives no answer, because no token is ever set again."""

from collections.abc import Callable
from typing import Any

import pytest
from django_redis import get_redis_connection

from fido.lib.cache import redis_link, versioned_cache
from fido.lib.cache.redis_link import link
from fido.lib.cache.versioned_cache import View, write_fence
from tests.races import at_once

ADA = 1
QUESTION = "how much?"

pytestmark = pytest.mark.django_db(transaction=True)


class Repeating:
    """A connection to Redis that loses one reply, and resends after others have used Redis."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile: Callable[[], None] | None = meanwhile

    def insist(self, work: Callable[[Any], Any]) -> Any:
        first = link.insist(work)
        if self.meanwhile is None:
            return first
        meanwhile, self.meanwhile = self.meanwhile, None
        meanwhile()
        return link.insist(work)

    ask = insist


def look() -> View:
    view = versioned_cache.look(ADA)
    assert view
    return view


def write() -> None:
    with write_fence(ADA):
        pass


def test_a_last_step_taken_twice_does_not_undo_anothers_write_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def meanwhile() -> None:
        assert versioned_cache.keep(look(), QUESTION, b"from before the other's write")
        at_once(write)

    monkeypatch.setattr(versioned_cache, "link", Repeating(meanwhile))
    versioned_cache._leave(ADA, "writer:a")
    monkeypatch.undo()

    assert versioned_cache.find(look(), QUESTION) is None


@pytest.mark.parametrize(
    ("key", "step"),
    [
        (versioned_cache.RATES_KEY, look),
        (redis_link.GENERATION_KEY, look),
        (redis_link.GENERATION_KEY, redis_link._generation_ended),
    ],
)
def test_a_token_that_was_forgotten_is_not_set_again(
    monkeypatch: pytest.MonkeyPatch, key: str, step: Callable[[], object]
) -> None:
    monkeypatch.setattr(versioned_cache, "random_token", lambda: "the same")
    monkeypatch.setattr(redis_link, "random_token", lambda: "the same")
    tokens = set()
    for _ in range(2):
        get_redis_connection().delete(key)
        step()
        tokens.add(get_redis_connection().get(key))

    assert len(tokens) == 2
