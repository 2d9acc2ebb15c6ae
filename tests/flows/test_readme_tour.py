"""The README's tour, run as a reader runs it, on gunicorn.

In README.md, between `<!-- tour -->` and `<!-- end of tour -->`, each `sh` block runs in turn, all
in one shell. Its output must equal the `json` or `text` block right after it, or be empty if there
is none. Values that differ from run to run count as equal: see VARYING.
"""

import os
import re
import subprocess
from dataclasses import dataclass

import pytest
from django.conf import settings

from tests import webserver
from tests.alerts import add_default_rules
from tests.factories import PASSWORD, StaffFactory
from tests.races import DEADLINE_SECONDS
from tests.worker import running_worker

ADDRESS = "http://localhost:8000"
BLOCK = re.compile(r"```sh\n(.*?)```\n(?:```(?:json|text)\n(.*?)```\n)?", re.DOTALL)
MARK = "--- next block ---"
# After an error in one command, the next ones must not run.
STRICT = "set -eu\n"
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


@pytest.mark.django_db(transaction=True)
def test_the_tour_prints_what_the_readme_shows() -> None:
    StaffFactory.create(username="admin", password=PASSWORD)
    add_default_rules()
    steps = tour()

    with webserver.serving() as server, running_worker():
        outputs = _run(steps, f"http://localhost:{server.port}")

    assert len(outputs) == len(steps) > 10
    for step, output in zip(steps, outputs, strict=True):
        assert _without_what_varies(output) == _without_what_varies(step.output), step.commands


def _run(steps: list[Step], address: str) -> list[str]:
    """The output of each step, in one shell; it stops at the first failing command."""
    script = STRICT + f"echo '{MARK}'\n".join(step.commands for step in steps)
    shell = subprocess.run(
        ["bash"],
        check=False,
        input=script.replace(ADDRESS, address),
        env=os.environ | {"PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    return shell.stdout.replace(address, ADDRESS).split(f"{MARK}\n")


def _without_what_varies(text: str) -> str:
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return text
