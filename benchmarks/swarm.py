"""`make load`: locust without its web page, on a service of its own or on one that is named.

All options are locust's: ours are its defaults here, and `--host` names another service.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from benchmarks.service.stack import free_port, wait_until_it_answers
from fido.embedded.process import end, spawn
from fido.embedded.state import PROJECT

OURS = (
    *("--headless", "--only-summary", "--users=20", "--spawn-rate=5", "--run-time=1m"),
    "--stop-timeout=20",
)
ENDINGS = (signal.SIGINT, signal.SIGTERM)
END_SECONDS = 60


def main(options: list[str]) -> int:
    for sig in ENDINGS:
        signal.signal(sig, _leave)
    if any(option.split("=")[0] in {"-H", "--host"} for option in options):
        return swarm(options)
    with service() as address:
        return swarm(["--host", address, *options])


def _leave(*signal_and_frame: object) -> NoReturn:
    sys.exit(1)


def swarm(options: list[str]) -> int:
    """locust's status: not 0 where an answer was wrong. Told to end, it still prints its table."""
    locust = spawn(
        [sys.executable, "-m", "locust", *OURS, *options], death_signal=signal.SIGTERM, cwd=PROJECT
    )
    for sig in ENDINGS:
        signal.signal(sig, lambda *_: locust.terminate())
    return locust.wait()


@contextlib.contextmanager
def service() -> Iterator[str]:
    """The address of what `make run` starts, on servers and data of its own; nothing stays."""
    folder = Path(tempfile.mkdtemp(prefix="fido-load-"))
    folder.chmod(0o711)
    port = int(os.environ.get("PORT") or free_port())
    print(f"Starting the service at port {port} ...", flush=True)
    try:
        with (folder / "output").open("wb") as output:
            launcher = spawn(
                [sys.executable, "-m", "fido.embedded.launcher"],
                death_signal=signal.SIGTERM,
                env=_environment(folder, port),
                cwd=PROJECT,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until_it_answers(port, launcher)
            yield f"http://127.0.0.1:{port}"
        finally:
            end(launcher, signal.SIGTERM, within_seconds=END_SECONDS)
    finally:
        shutil.rmtree(folder)


def _environment(folder: Path, port: int) -> dict[str, str]:
    """Never the servers that a shell happens to name. All users register from one address."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"))
    }
    ours = {"FIDO_STATE": str(folder / "state"), "PORT": str(port)}
    return kept | ours | {"REGISTRATIONS_PER_ADDRESS": "off"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
