"""Counters in Redis: exact under concurrency, limited in time, and never blocking."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from django_redis import get_redis_connection

from fido.lib.cache.counters import Counter
from fido.lib.values.errors import TooManyRequests
from fido.lib.values.limits import Rate
from tests.races import DEADLINE_SECONDS

CLOSED_PORT = "redis://127.0.0.1:1/0"


def passes(counter: Counter) -> bool:
    try:
        counter.hit()
    except TooManyRequests:
        return False
    return True


def test_of_a_hundred_at_once_exactly_the_limit_passes() -> None:
    with ThreadPoolExecutor(20) as pool:
        passed = pool.map(lambda _: passes(Counter("test", "ada", Rate(37, 60))), range(100))

    assert sum(passed) == 37


def test_another_subject_and_another_action_have_counts_of_their_own() -> None:
    rate = Rate(1, 60)
    assert passes(Counter("test", "ada", rate))

    assert not passes(Counter("test", "ada", rate))
    assert passes(Counter("test", "ben", rate))
    assert passes(Counter("other", "ada", rate))


def test_over_the_rate_the_wait_is_what_is_left_of_the_window() -> None:
    counter = Counter("test", "ada", Rate(1, 3600))
    counter.hit()

    with pytest.raises(TooManyRequests) as refusal:
        counter.hit()
    assert 3300 <= getattr(refusal.value, "wait", 0) <= 3600


def test_refused_attempts_do_not_lengthen_the_window() -> None:
    counter = Counter("test", "ada", Rate(1, 1))
    deadline = time.monotonic() + DEADLINE_SECONDS
    assert passes(counter)

    while not passes(counter):
        assert time.monotonic() < deadline, "the window never ended"
        time.sleep(0.02)


def test_a_hit_that_is_forgiven_does_not_count() -> None:
    counter = Counter("test", "ada", Rate(1, 60))
    for _ in range(5):
        counter.hit()
        counter.forgive()

    assert passes(counter)
    assert not passes(counter)


def test_forgiving_after_the_window_leaves_nothing_behind() -> None:
    counter = Counter("test", "ada", Rate(1, 60))
    counter.forgive()

    assert get_redis_connection().keys("*") == []


def test_no_rate_is_no_count() -> None:
    counter = Counter("test", "ada", None)

    assert all(passes(counter) for _ in range(50))
    counter.forgive()
    assert get_redis_connection().keys("*") == []


def test_redis_learns_no_name_and_every_count_ends() -> None:
    Counter("login-name", "lovelace@example.org", Rate(5, 60)).hit()

    (key,) = get_redis_connection().keys("*")
    assert b"lovelace" not in key
    assert 0 < get_redis_connection().ttl(key) <= 60


def test_with_redis_away_everything_passes_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    elsewhere = {"default": {**django_settings.CACHES["default"], "LOCATION": CLOSED_PORT}}
    with override_settings(CACHES=elsewhere):
        counter = Counter("test", "ada", Rate(1, 60))
        assert all(passes(counter) for _ in range(3))
        counter.forgive()

    assert caplog.messages.count("Throttling is off, Redis is away.") == 3
