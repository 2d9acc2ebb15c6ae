"""Fixtures for every test: real servers, one user `ada`, one staff user."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.test import override_settings
from django_redis import get_redis_connection

from fido.lib.cache.redis_link import Away, link
from tests.bank import StubBank
from tests.client import ApiClient
from tests.factories import StaffFactory, UserFactory
from tests.races import wait_until

# Every run is the same: a suite that people wait for must not fail at random.
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True, scope="session")
def _no_beat_after_the_end() -> Iterator[None]:
    """The test servers stop before this process, which is not one of the service's."""
    yield
    link.beats = False


@pytest.fixture(autouse=True)
def _empty_redis() -> Iterator[None]:
    """One test's throttles, queued jobs and outages must not affect the next test."""
    get_redis_connection().flushdb()
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
