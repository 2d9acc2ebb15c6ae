"""Fixtures for every test: real servers, one user `ada`, one staff user."""

from typing import Any

import pytest
from django_redis import get_redis_connection

from tests.client import ApiClient
from tests.factories import StaffFactory, UserFactory


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    """Throttles and waiting jobs of one test must not reach into the next."""
    get_redis_connection().flushdb()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.passwords.QuickArgon2"]


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
