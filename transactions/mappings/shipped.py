"""The mappings that come with Fido: one file for each layout, named after who gives it out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from transactions.mappings.mapping import ColumnMapping, parsed

FOLDER = Path(__file__).parent / "banks"


@cache
def shipped() -> Mapping[str, ColumnMapping]:
    """All of them by name."""
    files = sorted(FOLDER.glob("*.json"))
    return {file.stem: parsed(json.loads(file.read_text("utf-8"))) for file in files}
