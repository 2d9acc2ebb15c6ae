"""The README's tour, run as a reader runs it, on a server like that of `make run`.

In README.md, between `<!-- tour -->` and `<!-- end of tour -->`, each block of `sh` is run in
turn, all in one shell. What it prints must equal the block of `json` or `text` right after it, or
be nothing where there is none. What differs from run to run counts as equal: see VARYING.
"""

import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.conf import settings

from fido.launcher import web_options
from tests.factories import PASSWORD, StaffFactory
from tests.fido.processes import eventually
from tests.worker import url_of_test_database

ADDRESS = "http://localhost:8000"
BLOCK = re.compile(r"```sh\n(.*?)```\n(?:```(?:json|text)\n(.*?)```\n)?", re.DOTALL)
MARK = "--- next block ---"
# A bug in one command must not make the next ones run on.
STRICT = "set -euo pipefail\n"
VARYING = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "(uuid)"),
    (r'("(?:id|user_id)": ?)\d+', r"\1(id)"),
    (r'("(?:created_at|updated_at|date_joined)": ?)"[0-9T:.-]+Z"', r"\1(time)"),
]


@dataclass(frozen=True)
class Step:
    commands: str
    output: str


def tour() -> list[Step]:
    readme = (settings.BASE_DIR / "README.md").read_text()
    _, _, rest = readme.partition("<!-- tour -->")
    text, end, _ = rest.partition("<!-- end of tour -->")
    assert end, "README.md has no tour"
    return [Step(*match.groups(default="")) for match in BLOCK.finditer(text)]


@pytest.fixture
def server(transactional_db: None) -> Iterator[str]:
    """The address of a gunicorn with the options of `make run`, on the test database."""
    port = _free_port()
    environment = os.environ | {"DATABASE_URL": url_of_test_database(), "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "gunicorn", *web_options(port), "--workers=1", "fido.wsgi"]
    process = subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR)
    address = f"http://localhost:{port}"
    try:
        eventually(lambda: _is_ready(address), within_seconds=60)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_the_tour_prints_what_the_readme_shows(server: str) -> None:
    StaffFactory.create(username="admin", password=PASSWORD)
    steps = tour()

    outputs = _run(steps, server)

    assert len(outputs) == len(steps) > 10
    for step, output in zip(steps, outputs, strict=True):
        assert _without_what_varies(output) == _without_what_varies(step.output), step.commands


def _run(steps: list[Step], address: str) -> list[str]:
    """What each step prints, in one shell for all; it stops at the first command that fails."""
    script = STRICT + f"echo '{MARK}'\n".join(step.commands for step in steps)
    shell = subprocess.run(
        ["bash"],
        input=script.replace(ADDRESS, address),
        env=os.environ | {"PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return shell.stdout.replace(address, ADDRESS).split(f"{MARK}\n")


def _without_what_varies(text: str) -> str:
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return text


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
