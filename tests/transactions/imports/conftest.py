"""Fixtures of the tests of imports."""

from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from tests.factories import StaffFactory, UserFactory
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
