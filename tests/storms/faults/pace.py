"""How slow the machine is at any moment, measured by fixed work in a process of its own.

A limit in seconds holds for a machine that has time for us. Where others use its cores, or where it
is slow, everything takes longer, and so does this work.
"""

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

from fido.embedded.process import spawn
from fido.embedded.state import PROJECT

# What the work takes on a machine that does nothing else, and how often it is done.
WORK_SECONDS, EVERY_SECONDS = 0.03, 0.3
BLOCK, BLOCKS = bytes(1024 * 1024), 50


class Pace:
    """Noted in a file, until `end`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with file.open("wb") as output:
            self._process: subprocess.Popen[bytes] = spawn(
                [sys.executable, "-m", "tests.storms.faults.pace"],
                death_signal=signal.SIGKILL,
                cwd=PROJECT,
                stdout=output,
            )

    def slowness(self, began: float, ended: float) -> float:
        """By which factor it was slow in that time, at least 1."""
        spans = [tuple(map(float, line.split())) for line in self._file.read_text().splitlines()]
        within = [(since, until) for since, until in spans if until > began and since < ended]
        took = [until - since for since, until in within]
        return max(1.0, sum(took) / len(took) / WORK_SECONDS) if took else 1.0

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def main() -> None:
    while True:
        began = time.monotonic()
        for _ in range(BLOCKS):
            hashlib.sha256(BLOCK).digest()
        # One write call, so that nobody reads half a line.
        sys.stdout.write(f"{began} {time.monotonic()}\n")
        sys.stdout.flush()
        time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
