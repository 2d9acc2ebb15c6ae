"""CPU time of a tree of processes."""

import subprocess
import sys

from benchmarks.service import cpu

BUSY = "import time\nwhile time.process_time() < 0.3: pass"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BUSY!r}])
print(flush=True)
sys.stdin.read()
"""


def test_children_that_have_ended_count() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PARENT], **pipes) as parent:  # type: ignore[call-overload]
        parent.stdout.readline()

        used = cpu.seconds_of(parent.pid)
        parent.stdin.close()

    assert (
        used >= 0.2
    )  # /proc counts in ticks and may have seen one too few; the parent alone uses 0.05 s
