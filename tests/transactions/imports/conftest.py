"""Fixtures of the tests of imports."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def spool_folder(settings: Any, tmp_path: Path) -> Path:
    """Where this test's uploads wait; nothing else lies in it."""
    folder = tmp_path / "spool"
    settings.IMPORTS_DIR = str(folder)
    return folder
