"""Fixtures of the tests of alerts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from analytics.alerts import operations
from analytics.alerts.models import WebhookEndpoint
from tests.alerts import add_default_rules
from tests.factories import UserFactory
from tests.receiver import Receiver


@pytest.fixture(autouse=True)
def _default_rules(request: pytest.FixtureRequest) -> None:
    """The migration's rules, which an earlier transactional test has removed."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        add_default_rules()


@pytest.fixture(autouse=True)
def _spool_folder(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.IMPORTS_DIR = str(tmp_path / "spool")
    monkeypatch.setenv("IMPORTS_DIR", settings.IMPORTS_DIR)


@pytest.fixture
def loopback(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    monkeypatch.setenv("WEBHOOK_ALLOW_LOOPBACK", "true")


@pytest.fixture
def receiver(loopback: None) -> Iterator[Receiver]:
    with Receiver().open() as open_receiver:
        yield open_receiver


@pytest.fixture
def endpoint(db: None, receiver: Receiver) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(url=receiver.url)


@pytest.fixture
def user(db: None) -> User:
    return UserFactory.create(full_name="Ada Lovelace")


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "ROWS", 7)
    monkeypatch.setattr(operations, "STEP_SECONDS", 0)
    monkeypatch.setattr(operations, "FEW", 2)
