"""Fixtures for every test: real servers, one user `ada`, one staff user."""

import gc
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import hypothesis
import pytest
import redis
from django.conf import settings
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase, override_settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from fido.lib.cache.redis_link import Away, link
from fido.lib.process import database
from tests.bank import StubBank
from tests.client import ApiClient
from tests.database import as_migrated
from tests.factories import StaffFactory, UserFactory
from tests.races import wait_until

# Every run is the same: a suite that people wait for must not fail at random.
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None)
hypothesis.settings.load_profile("repeatable")

STARTERS = {
    "tests.docs.shell",
    "tests.webserver",
    "tests.worker",
    "tests.valkey",
    "tests.fido.processes",
}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores, because some tests wait for the processes that they start.

    16 at most: a Redis that is given has no more databases.
    """
    return min((os.cpu_count() or 1) + 1, 16)


def pytest_addoption(parser: pytest.Parser) -> None:
    storm = parser.getgroup("storm", "the storm of faults, see docs/development.md")
    storm.addoption("--storm-minutes", type=float, default=10, help="how long, in all")
    storm.addoption("--storm-rate", type=float, default=50, help="requests a second, at most")
    storm.addoption("--storm-seed", type=int, default=None, help="of what is chosen by chance")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that at the end no process waits for another's last test."""
    items.sort(key=lambda item: not _starts_processes(item))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What there is after it stays to the end, so the garbage collector need not look at it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def _starts_processes(item: pytest.Item) -> bool:
    """Whether the file knows how to, which is what the slow ones have in common."""
    known = vars(item.module).values() if isinstance(item, pytest.Function) else ()
    return any(getattr(thing, "__module__", None) in STARTERS for thing in known)


@pytest.fixture(autouse=True, scope="session")
def _quick_end_of_tests_that_commit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", as_migrated)
        yield


@pytest.fixture(autouse=True, scope="session")
def _assets_are_listed_once() -> Iterator[None]:
    """Each client loads the middleware anew, which looks at 170 files: a fifth of the suite's time.

    The packages that the files belong to do not change meanwhile.
    """
    listed: dict[tuple[object, ...], dict[str, StaticFile]] = {}
    look = WhiteNoiseMiddleware.add_files_from_finders

    def once(middleware: WhiteNoiseMiddleware) -> None:
        # What of the settings is in a file's address or in its headers.
        asked = (middleware.static_prefix, middleware.max_age, middleware.allow_all_origins)
        if asked not in listed:
            look(middleware)
            listed[asked] = middleware.files
        middleware.files = dict(listed[asked])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", once)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_beat_after_the_end() -> Iterator[None]:
    """The test servers stop before this process, which is not one of the service's."""
    yield
    link.beats = False


@pytest.fixture(autouse=True, scope="session")
def _a_test_may_take_its_time() -> Iterator[None]:
    """Most are one transaction, and no shorter than the machine is fast.

    Whoever imports the web's or a worker's side has asked for the service's bound.
    """
    connection_created.disconnect(dispatch_uid="fido.bound_transactions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_bound", lambda sender, **kwargs: None)
        yield


@cache
def _patient_redis() -> redis.Redis:
    """Without the service's limit of a quarter of a second, which a busy machine may exceed."""
    return redis.Redis.from_url(str(settings.CACHES["default"]["LOCATION"]))


@pytest.fixture(autouse=True)
def _empty_redis() -> Iterator[None]:
    """One test's throttles, queued jobs and outages must not affect the next test."""
    _patient_redis().flushdb()
    yield
    wait_until(lambda: not link.is_down)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.passwords.QuickArgon2"]


@pytest.fixture
def redis_away() -> Iterator[None]:
    """Redis refuses connections from this process, which already knows."""
    elsewhere = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    with override_settings(CACHES={"default": elsewhere}):
        with suppress(Away):
            link.insist(lambda client: client.ping())
        yield


@pytest.fixture
def bank(settings: Any) -> Iterator[StubBank]:
    """The bank that Fido is configured for; it publishes nothing yet."""
    with StubBank().open() as stub:
        settings.RATES_URL = stub.url
        yield stub


@pytest.fixture
def ada(db: None) -> ApiClient:
    return ApiClient(UserFactory.create(username="ada", full_name="Ada Lovelace"))


@pytest.fixture
def ben(db: None) -> ApiClient:
    return ApiClient(UserFactory.create(username="ben", full_name="Ben Nevis"))


@pytest.fixture
def staff(db: None) -> ApiClient:
    return ApiClient(StaffFactory.create())


@pytest.fixture
def anybody() -> ApiClient:
    return ApiClient()
