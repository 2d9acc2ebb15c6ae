"""What a reader does: starts the service, and types a page's blocks into a shell."""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fido.embedded import postgres
from tests.docs.pages import Block
from tests.fido.processes import PROJECT, eventually, strangers_environment
from tests.races import DEADLINE_SECONDS

MARK = "--- next block ---"
# After an error in one command, the next ones must not run.
STRICT = "set -eu\n"
METRICS_TOKEN = "a-token-for-the-documentation"
# `make test` tells its own options and depth to each `make` inside it.
OF_MAKE = {"MAKELEVEL", "MAKEFLAGS", "MFLAGS"}
PYTHON = Path(sys.executable)
# What differs from run to run counts as equal.
VARYING = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "(uuid)"),
    (r'("(?:id|user_id)": ?)\d+', r"\1(id)"),
    (r'("(?:created_at|updated_at|date_joined)": ?)"[0-9T:.-]+Z"', r"\1(time)"),
    (r"(?m)^(FERNET_KEYS|BLIND_INDEX_KEYS)=\S+$", r"\1=(key)"),
    (r"(?m)^(fido_\S+) [0-9.e+-]+$", r"\1 (number)"),
    (r"(?m)^[\d,]+ (?=users, no difference)", "(count) "),
    (r"\d+ warmed, \d+ already kept, \d+ skipped", "(counts)"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:(port)"),
    (r"after [\d.]+ s\.", "after (seconds) s."),
    (r"with the password \S+", "with the password (password)"),
]


@dataclass(frozen=True)
class Shell:
    """Beside a service that keeps its state in `state`. `said` is what its start has printed."""

    state: Path
    said: str

    def typed(
        self, blocks: list[Block], folder: Path, *, by_operator: bool
    ) -> tuple[list[str], str]:
        """What each block prints, until a command fails; and everything on standard error.

        The environment of an operator says which servers to use; other readers have none.
        """
        environment = [str(PYTHON), "-m", "fido.embedded"] if by_operator else []
        script = STRICT + f"echo '{MARK}'\n".join(block.text for block in blocks)
        shell = subprocess.run(
            [*environment, "bash", "-c", script],
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        return shell.stdout.split(f"{MARK}\n"), shell.stderr

    def _environment(self) -> dict[str, str]:
        programs = f"{PYTHON.parent}:{postgres.program('pg_dump').parent}:{os.environ['PATH']}"
        known = strangers_environment(
            FIDO_STATE=str(self.state), METRICS_TOKEN=METRICS_TOKEN, PATH=programs
        )
        kept = {name: value for name, value in known.items() if name not in OF_MAKE}
        return kept | {"MAKEFLAGS": f"IN_VENV={PYTHON}"}


@contextmanager
def beside_a_service() -> Iterator[Shell]:
    """What `make run` starts, with the demonstration."""
    with tempfile.TemporaryDirectory(prefix="fido docs-") as folder:
        # As root the servers run as another user, who has to pass through.
        parent = Path(folder)
        parent.chmod(0o711)
        state, log = parent / "state", parent / "output"
        process = _launched(state, log)
        try:
            eventually(lambda: process.poll() is not None or (state / "address").exists())
            assert process.poll() is None, log.read_text()
            eventually(lambda: "Ctrl-C" in log.read_text())
            yield Shell(state, log.read_text())
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def _launched(state: Path, log: Path) -> subprocess.Popen[bytes]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "fido.embedded.launcher"],
            env=strangers_environment(
                PORT=port, FIDO_STATE=str(state), METRICS_TOKEN=METRICS_TOKEN
            ),
            cwd=PROJECT,
            stdout=output,
            stderr=output,
        )


def without_what_varies(text: str) -> str:
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return text
