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


def answered() -> bytes | None:
    """What one round trip finds for the question."""
    view = versioned_cache.look(ADA, QUESTION)
    assert view
    return view.opened(view.kept)


def test_a_lookup_that_names_the_question_finds_its_answer() -> None:
    assert answered() is None
    assert versioned_cache.keep(look(), QUESTION, b"42")

    assert answered() == b"42" == versioned_cache.find(look(), QUESTION)


@pytest.mark.parametrize("key", [versioned_cache.RATES_KEY, redis_link.GENERATION_KEY])
def test_an_answer_ends_with_the_rates_and_with_the_generation(key: str) -> None:
    view = look()
    assert versioned_cache.keep(view, QUESTION, b"42")

    get_redis_connection().delete(key)

    assert answered() is None
    assert versioned_cache.find(look(), QUESTION) is None
    assert versioned_cache.seconds_left(look(), QUESTION) == 0


def test_nothing_is_found_while_a_writer_is_registered() -> None:
    assert versioned_cache.keep(look(), QUESTION, b"42")
    view = look()
    with write_fence(ADA):
        assert answered() is None
        # Not even what was stored under the version that the writer has set.
        assert versioned_cache.keep(look(), QUESTION, b"43") is False
    assert versioned_cache.find(view, QUESTION) == b"42"  # a reader from before the write


def test_a_server_that_does_not_know_the_scripts_is_told() -> None:
    assert versioned_cache.keep(look(), QUESTION, b"42")

    get_redis_connection().script_flush()

    assert answered() == b"42"
    get_redis_connection().script_flush()
    write()
    assert answered() is None


def test_what_the_lookup_has_asked_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = versioned_cache.look(ADA, "question")
    assert before
    versioned_cache.keep(before, "question", b"answer")
    after = versioned_cache.look(ADA, "question")
    assert after

    monkeypatch.setattr(redis_link.link, "ask", None)

    assert versioned_cache.find(before, "question") is None
    assert versioned_cache.find(after, "question") == b"answer"
