"""What a web process has loaded before gunicorn forks."""

import subprocess
import sys

from tests.fido.processes import PROJECT
from tests.servers import operators_environment

COUNTS = "import fido.wsgi, gc; print(gc.get_freeze_count(), len(gc.get_objects()))"


def test_the_collector_leaves_alone_what_the_processes_share() -> None:
    said = subprocess.run(
        [sys.executable, "-c", COUNTS],
        check=True,
        cwd=PROJECT,
        env=operators_environment(),
        capture_output=True,
        text=True,
    )

    frozen, others = map(int, said.stdout.split()[-2:])
    assert frozen > 20 * others
