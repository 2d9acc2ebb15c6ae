"""The connection to Redis: no caller waits for it twice, and silence is not an outage."""

import os
import threading
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import redis
from django_redis import get_redis_connection

from fido.lib.cache import redis_link, versioned_cache
from fido.lib.cache.redis_link import LEASE_SECONDS, Away, Link, link
from fido.lib.values.limits import Rate
from tests.client import ApiClient
from tests.factories import PASSWORD, record
from tests.races import wait_until
from tests.valkey import Valkey
from tests.worker import running_worker

# As in the settings: to connect, and to get a reply.
TIME_OUT_SECONDS = 2 * 0.25


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each attempt of this thread to reach Redis."""
    made: list[str] = []

    def counted() -> Any:
        if threading.current_thread() is threading.main_thread():
            made.append("attempt")
        return get_redis_connection()

    monkeypatch.setattr(redis_link, "get_redis_connection", counted)
    return made


@pytest.mark.django_db(transaction=True)
def test_where_redis_is_known_to_be_away_only_a_writes_last_step_tries_it(
    ada: ApiClient, settings: Any, redis_away: None, attempts: list[str]
) -> None:
    settings.REQUESTS_PER_USER = Rate(1000, 60)
    answers = [ada.get(path) for path in ("/analytics", "/transactions", "/users/me")]
    login = ApiClient().post("/auth/login", {"username": "ada", "password": PASSWORD})
    assert [answer.status_code for answer in [*answers, login]] == [200] * 4
    assert attempts == []

    wait_until(lambda: link.down_seconds > versioned_cache.PATIENCE_SECONDS)
    record(ada.user)  # type: ignore[arg-type]

    assert attempts == ["attempt"]


def test_an_outage_is_not_inherited_by_a_fork(redis_away: None) -> None:
    assert link.is_down

    if (child := os.fork()) == 0:
        os._exit(int(link.is_down))

    assert os.waitpid(child, 0)[1] == 0
    with pytest.raises(Away):
        link.ask(lambda client: client.ping())


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_has_nothing_to_do_keeps_what_was_warmed(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = Valkey(tmp_path)
    monkeypatch.setenv("CELERY_BROKER_URL", settings.CELERY_BROKER_URL)
    monkeypatch.setenv("REDIS_URL", valkey.url)
    client = redis.Redis.from_url(valkey.url)
    with running_worker():
        for _ in range(int(LEASE_SECONDS / redis_link.BEAT_SECONDS) + 2):
            client.set(redis_link.GENERATION_KEY, "present", px=1000 * redis_link.lease())
            wait_until(lambda: client.pttl(redis_link.GENERATION_KEY) <= redis_link.lease())
    valkey.kill()


class Unprobed(Link):
    """No other thread of this process retries, which would only help."""

    def _went_down(self, error: str) -> None:
        pass


class Flapping(Link):
    """Each time, another thread of this process gets through at once, as to another node."""

    def _went_down(self, error: str) -> None:
        self.start_anew()


class World:
    """Redis with its outages, and a clock that advances only when code waits.

    An attempt that begins in an outage fails, after one of `attempts` seconds. Other processes
    prolong the generation whenever they can. At `held_up_at` this process pauses for ten seconds.
    """

    def __init__(
        self,
        outages: list[tuple[float, float]],
        *,
        attempts: list[float],
        held_up_at: float = 1000,
    ) -> None:
        self.outages, self.attempts = outages, cycle(attempts)
        self.held_up_at, self.now, self.through = held_up_at, 0.0, False

    def write(self, link: Link) -> None:
        """Run a write's last step, just after its commit."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(versioned_cache, "link", link)
            patch.setattr(versioned_cache, "time", self)
            patch.setattr(versioned_cache, "run_all", self.run_all)
            patch.setattr(redis_link, "time", self)
            patch.setattr(redis_link, "get_redis_connection", lambda: self)
            versioned_cache._leave(7, "writer:a")

    def run_all(self, client: Any, steps: list[Any]) -> list[None]:
        if any(start <= self.now < end for start, end in self.outages):
            self.now += next(self.attempts)
            raise redis.ConnectionError
        self.through = True
        return [None]

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self.held_up_at:
            self.now, self.held_up_at = self.held_up_at + 10, 1000

    def generation_has_ended(self, since: float) -> bool:
        """Whether an outage lasted long enough for the generation to expire."""
        begun = [(start, end) for start, end in self.outages if start < self.now]
        return any(end - start >= LEASE_SECONDS and end > since for start, end in begun)


@pytest.fixture
def _no_beat() -> None:
    """A heartbeat thread would interfere with the simulated clock."""
    link.beats = False
    for thread in threading.enumerate():
        if thread.name == "fido-redis-beat":
            thread.join()


# Refused at once, timed out, and both in turns.
AT_ONCE, AT_LAST = 0.001, TIME_OUT_SECONDS
ATTEMPTS = pytest.mark.parametrize(
    "attempts",
    [[AT_ONCE], [0.1], [AT_LAST], [AT_ONCE, AT_LAST], [AT_LAST, AT_ONCE, AT_ONCE]],
    ids=str,
)


@pytest.mark.usefixtures("_no_beat")
@ATTEMPTS
def test_a_write_ends_when_it_is_through_or_the_generation_of_before_has_ended(
    attempts: list[float],
) -> None:
    for begun in (0.0, -0.5, -1.0, -1.4):
        for step in range(1, 300):
            world = World([(begun, begun + step / 100)], attempts=attempts)
            world.write(Unprobed())

            assert world.through or world.generation_has_ended(since=0), (begun, step)


@pytest.mark.usefixtures("_no_beat")
@ATTEMPTS
def test_a_write_that_was_held_up_does_not_take_that_for_an_outage(
    attempts: list[float],
) -> None:
    for step in range(1, 150):
        outages = [(0.0, 0.3), (9.0, 9.5 + step / 100)]
        world = World(outages, attempts=attempts, held_up_at=0.01)
        world.write(Unprobed())

        assert world.through or world.generation_has_ended(since=0), step


@pytest.mark.usefixtures("_no_beat")
@ATTEMPTS
def test_a_write_does_not_wait_for_ever(attempts: list[float]) -> None:
    world = World([(0.0, 1000.0)], attempts=attempts)

    world.write(Unprobed())

    longest = versioned_cache.PATIENCE_SECONDS + versioned_cache.RETRY_SECONDS + 3 * AT_LAST
    assert versioned_cache.PATIENCE_SECONDS < world.now <= longest


@pytest.mark.usefixtures("_no_beat")
def test_nor_does_one_whose_own_steps_alone_fail() -> None:
    world = World([(0.0, 1000.0)], attempts=[0.1])

    world.write(Flapping())

    limit = versioned_cache.LIMIT_SECONDS
    assert limit < world.now < limit + 1
