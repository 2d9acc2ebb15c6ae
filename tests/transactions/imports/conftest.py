"""Fixtures of the tests of imports."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import SERVICE_GROUP, User
from tests.client import ApiClient
from tests.factories import StaffFactory, UserFactory, record, wallet
from tests.staff import Desk


@pytest.fixture(autouse=True)
def spool_folder(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where this test's uploads wait, including those of the processes that it starts."""
    folder = tmp_path / "spool"
    settings.IMPORTS_DIR = str(folder)
    monkeypatch.setenv("IMPORTS_DIR", str(folder))
    return folder


@pytest.fixture
def root(db: None) -> Desk:
    """A superuser's browser."""
    return Desk(StaffFactory.create(username="root"))


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="jane")


@pytest.fixture
def service(db: None) -> ApiClient:
    client = ApiClient(UserFactory.create(username="bank", full_name="The Bank"))
    assert client.user
    client.user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    return client


@pytest.fixture
def crowd(db: None) -> list[ApiClient]:
    clients = [ApiClient(UserFactory.create()) for _ in range(5)]
    for client in clients:
        assert client.user
        wallet(client.user, USD="50")
        record(client.user)
    return clients
