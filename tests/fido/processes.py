"""Real processes: what a group of them does, and whether any is left."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.races import DEADLINE_SECONDS
from tests.servers import EMBEDDED

PROJECT = Path(__file__).resolve().parent.parent.parent
# Set by a test run, but not in a newcomer's shell.
OURS = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "JWT_SIGNING_KEY"}
OURS |= {"FERNET_KEYS", "BLIND_INDEX_KEYS", "ALLOWED_HOSTS", "HTTPS_ONLY", "FIDO_DEMO_PASSWORD"}
OURS |= {"IMPORTS_DIR", "DJANGO_SETTINGS_MODULE", EMBEDDED}


def strangers_environment(**variables: str) -> dict[str, str]:
    """This process's environment, without what the test run added to it."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return kept | {"PYTHONUNBUFFERED": "1"} | variables


def python(*arguments: str, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=env,
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def descendants(pid: int) -> set[int]:
    """Every process under this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            parents[int(entry.name)] = parent
    found: set[int] = set()
    layer = {pid}
    while layer := {child for child, parent in parents.items() if parent in layer} - found:
        found |= layer
    return found


def _parent(entry: Path) -> int | None:
    try:
        # The command's name, in brackets, may contain anything.
        state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if _parent(Path(f"/proc/{pid}")) is not None}


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, and fail if it does not in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
