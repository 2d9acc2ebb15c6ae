"""Another process that has the embedded servers."""

import json
from pathlib import Path

from tests.fido.processes import python, strangers_environment
from tests.races import DEADLINE_SECONDS

# Prints its environment as a line of JSON, and runs until its input ends.
HOLD = """
import encodings.idna, json, os, sys
from pathlib import Path
from fido import embedded
if "as" in sys.argv:
    # Only here, with all imported: Python itself may lie in a folder that is closed to others.
    os.setgroups([])
    os.setresgid(1, 1, 1)
    os.setresuid(1, 1, 1)
try:
    with embedded.serving(Path(sys.argv[1]), fast=True, own="own" in sys.argv) as up:
        print(json.dumps(up.environment | {"owner": str(bool(up.servers))}), flush=True)
        sys.stdin.read()
except embedded.StartRefused as refusal:
    sys.exit(str(refusal))
"""


class Holder:
    """Another process that has the servers."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.process = python("-c", HOLD, str(folder), *options, env=strangers_environment())

    def environment(self) -> dict[str, str]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("{"), line
        return dict(json.loads(line))

    def leave(self) -> str:
        """End it like a finished command; return its output."""
        said, _ = self.process.communicate("", timeout=DEADLINE_SECONDS)
        return said

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_SECONDS)
