"""A clock that can be shifted while processes go by it.

By a few lines of C, where there is a compiler: the libfaketime that Debian has (0.9.10) breaks
`time.sleep`, if it leaves the monotonic clock alone.
"""

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("shifted_clock.c")


class Clock:
    """`environment` is for the processes that go by it. Their monotonic clock is never shifted."""

    def __init__(self, folder: Path) -> None:
        self._file, library = folder / "shift", folder / "shifted_clock.so"
        self.shift(0)
        self.can_be_shifted = _compiled(library)
        made = {"LD_PRELOAD": str(library), "SHIFTED_BY": str(self._file)}
        self.environment = made if self.can_be_shifted else {}

    def shift(self, seconds: float) -> None:
        # In place, because the processes map this very file.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", int(seconds * 10**9)))


def _compiled(library: Path) -> bool:
    if (compiler := shutil.which("cc")) is None:
        return False
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
