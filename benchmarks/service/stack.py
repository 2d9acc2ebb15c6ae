"""The processes that are measured: Fido as deployed, and what it is compared with."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.service import cpu
from fido.embedded.launcher import web_options
from fido.embedded.process import end, spawn
from fido.embedded.state import PROJECT, State

PROCESSES = 4
LIVE_SECONDS = 60
WORKER = (
    *("-W", "ignore::UserWarning:celery.platforms"),
    *("-m", "celery", "--quiet", "-A", "fido", "worker", "--pool=threads", "--concurrency=10"),
    *("--without-mingle", "--without-gossip", "--loglevel=WARNING"),
)

Settle = Callable[[], None]


@dataclass(frozen=True)
class Side:
    """A service under load: where it listens, and its processes by group.

    `settle` returns once the work that its answers have left behind is done.
    """

    name: str
    port: int
    groups: dict[str, int]
    settle: Settle = field(default=lambda: None)

    def cpu_seconds(self) -> dict[str, float]:
        return {group: cpu.seconds_of(pid) for group, pid in self.groups.items()}


@dataclass(frozen=True)
class Servers:
    """PostgreSQL and Valkey, which both sides use, in databases of their own."""

    groups: dict[str, int]

    @classmethod
    def of(cls, folder: Path) -> "Servers":
        note = State(folder).note()
        assert note is not None
        return cls({"postgres": note.postgres, "valkey": note.valkey})


@contextlib.contextmanager
def fido(servers: Servers, database_url: str, log: Path, settle: Settle) -> Iterator[Side]:
    """gunicorn and a Celery worker, as `make run` and the container start them."""
    environment = os.environ | {"DATABASE_URL": database_url}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    port = free_port()
    web = ("-m", "gunicorn", *web_options(port), f"--workers={PROCESSES}", "fido.wsgi")
    with (
        running(WORKER, environment, log) as worker,
        running(web, environment, log) as gunicorn,
    ):
        wait_until_it_answers(port, gunicorn)
        yield Side(
            "fido", port, {"web": gunicorn.pid, "worker": worker.pid} | servers.groups, settle
        )


@contextlib.contextmanager
def gunicorn(servers: Servers, application: str, log: Path, **variables: str) -> Iterator[Side]:
    """Another WSGI application on as many processes and threads."""
    port = free_port()
    options = (*web_options(port), f"--workers={PROCESSES}", f"benchmarks.peers.{application}")
    with running(("-m", "gunicorn", *options), os.environ | variables, log) as web:
        wait_until_it_answers(port, web)
        yield Side(application, port, {"web": web.pid} | servers.groups)


@contextlib.contextmanager
def lean(servers: Servers, log: Path, **variables: str) -> Iterator[Side]:
    """C on uvicorn: a process for each core, as it has one thread each."""
    port = free_port()
    options = (
        *("-m", "uvicorn", "benchmarks.peers.lean.app:app", f"--port={port}"),
        *(f"--workers={os.cpu_count() or 1}", "--loop=uvloop", "--http=httptools"),
        *("--no-access-log", "--log-level=warning", "--no-server-header"),
    )
    with running(options, os.environ | variables, log) as web:
        wait_until_it_answers(port, web)
        yield Side("C", port, {"web": web.pid} | servers.groups)


@contextlib.contextmanager
def running(
    arguments: tuple[str, ...], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that writes to a file, which is formatted as in production and not read."""
    with log.open("ab") as output:
        process = spawn(
            [sys.executable, *arguments],
            death_signal=signal.SIGTERM,
            env=environment,
            cwd=PROJECT,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        end(process, signal.SIGTERM, within_seconds=10)


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    """Any answer will do: most peers know one path only."""
    deadline = time.monotonic() + LIVE_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not answer; its log says why.")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
