"""The service's processes, and who starts them again: the storm is their supervisor."""

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fido.embedded.process import end, spawn
from fido.embedded.state import PROJECT
from fido.queues import WORKER
from tests.fido.processes import descendants

CELERY = ("-W", "ignore::UserWarning:celery.platforms", "-m", "celery", "--quiet", "-A", "fido")
WEB_PROCESSES = 2
END_SECONDS = 40


@dataclass
class Process:
    """One that is started again if it ends by itself; `ends` counts how often."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    ends: int = 0
    is_killed: bool = False
    running: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.is_killed = False
        with self.log.open("ab") as output:
            self.running = spawn(
                [sys.executable, *self.arguments],
                death_signal=signal.SIGKILL,
                env=self.environment,
                cwd=PROJECT,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """With -9, until `start`; its children are not killed."""
        self.is_killed = True
        self.running.kill()
        self.running.wait()

    def children(self) -> list[int]:
        return sorted(descendants(self.running.pid))

    def revive(self) -> None:
        if self.running.poll() is not None and not self.is_killed:
            self.ends += 1
            self.start()

    def end(self) -> None:
        end(self.running, signal.SIGTERM, within_seconds=END_SECONDS)


@dataclass
class WebHost(Process):
    port: int = 0


def web(name: str, port: int, environment: dict[str, str], log: Path) -> WebHost:
    options = (f"--bind=127.0.0.1:{port}", f"--workers={WEB_PROCESSES}", "--log-level=warning")
    command = ("-m", "gunicorn", "--config=python:fido.serving.config", *options, "fido.wsgi")
    return WebHost(name, command, environment, log, port=port)


def worker(environment: dict[str, str], log: Path) -> Process:
    return Process("worker", (*CELERY, *WORKER, "--loglevel=WARNING"), environment, log)


def beat(environment: dict[str, str], log: Path) -> Process:
    return Process("beat", (*CELERY, "beat", "--loglevel=WARNING"), environment, log)


def run(environment: dict[str, str], *arguments: str) -> str:
    """What a command prints. Raise AssertionError, with all it said, if it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
