"""Fixtures of the tests of alerts."""

from pathlib import Path
from typing import Any

import pytest

from tests.alerts import add_default_rules


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
