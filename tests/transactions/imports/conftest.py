from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For this process, and for those that a test starts."""
    folder = str(tmp_path / "imports")
    settings.IMPORTS_DIR = folder
    monkeypatch.setenv("IMPORTS_DIR", folder)
