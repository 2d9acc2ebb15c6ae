"""What `make run` starts: the servers, the migrations, and the service's processes.

Run as `python -m fido.embedded.launcher`. It supervises its children with only `subprocess` and
signals; docs/adr/0002-embedded-servers.md says why it uses no process manager.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from fido import embedded
from fido.embedded import Running, Server, StartRefused, State
from fido.embedded.process import end, end_with_parent, spawn
from fido.embedded.state import PROJECT
from fido.env import Environment, is_given
from fido.lib.process.statuses import STUCK
from fido.queues import WORKER

LIVE_SECONDS = 60
# Time for running requests and jobs to finish.
END_SECONDS = 10
POLL_SECONDS = 0.05
PREPARING = "Preparing the database"
PORTS = range(8000, 65536)


class Stopped(Exception):
    """Someone asked the service to stop."""


class Stop:
    """Records that a signal asked for the stop; callers check it where it is safe to leave.

    An exception raised in a signal handler may be swallowed, for example inside a `__del__`, or may
    lose a child that is just being started. Only a second signal raises one, for a start that waits
    long for its servers.
    """

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup, SIGHUP is ignored on purpose.
            if sig != signal.SIGHUP or signal.getsignal(sig) != signal.SIG_IGN:
                signal.signal(sig, self._hear)

    def ignore_more(self) -> None:
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, signal.SIG_IGN)

    def check(self) -> None:
        if self.asked:
            raise Stopped

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise Stopped
        self.asked = True


STOP = Stop()


class ChildDied(Exception):
    """A process that the service needs has exited by itself."""


@dataclass
class Family:
    """The service's processes, and the servers that they use, which another owner stops."""

    environment: dict[str, str]
    servers: tuple[Server, ...] = ()
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    starts: dict[str, Callable[[], subprocess.Popen[bytes]]] = field(default_factory=dict)

    def start(
        self, name: str, *arguments: str, death_signal: signal.Signals = signal.SIGTERM
    ) -> subprocess.Popen[bytes]:
        self.starts[name] = partial(
            spawn,
            [sys.executable, *arguments],
            death_signal=death_signal,
            env=self.environment,
            cwd=PROJECT,
        )
        self.children[name] = self.starts[name]()
        return self.children[name]

    def finish(self, name: str) -> None:
        """Wait for a child that has only one thing to do."""
        process = self.children[name]
        while not _has_ended(process):
            STOP.check()
        if process.returncode != 0:
            raise ChildDied(f"{name} failed.")
        del self.children[name]

    def check(self) -> None:
        """Start a child again that ended itself because it was stuck.

        Raise Stopped if a stop was requested, and ChildDied if a child has exited otherwise.
        """
        STOP.check()
        for name, process in [*self._everyone()]:
            if process.poll() == STUCK and name in self.starts:
                say(f"{name} was stuck: starting it again ...")
                self.children[name] = self.starts[name]()
            elif process.poll() is not None:
                raise ChildDied(f"{name} has ended ({_how(process.returncode)}).")

    def _everyone(self) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        # Servers first: when one exits, the processes that use it may follow at once.
        yield from ((server.name, server.process) for server in self.servers)
        yield from self.children.items()

    def end(self) -> None:
        """Stop the children, the last one started first."""
        for process in reversed(self.children.values()):
            end(process, signal.SIGTERM, within_seconds=END_SECONDS)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ends within a moment."""
    try:
        process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _how(returncode: int) -> str:
    if returncode < 0:
        return f"by {signal.Signals(-returncode).name}"
    return f"with status {returncode}"


def main() -> int:
    # If `make` is killed with -9, it cannot pass the signal on.
    end_with_parent(signal.SIGTERM)
    STOP.listen()
    try:
        launch()
    except Stopped:
        say("Stopped.")
        return 0
    except (StartRefused, ChildDied) as reason:
        print(reason, file=sys.stderr)
        return 1


def launch() -> NoReturn:
    """Start everything, and stay until it exits or is told to stop."""
    started = time.monotonic()
    port = chosen_port()
    with servers() as up, family(up) as everyone:
        say("Bringing the database's tables up to date ...")
        password = prepare(everyone, up.state if up else None, partial(start_web, everyone, port))
        wait_until_live(everyone, port)
        # Later, because nobody waits for them: until they are there, jobs wait in their queue.
        start_workers(everyone)
        with announced(up, port):
            greet(port, password, time.monotonic() - started)
            while True:
                everyone.check()
                time.sleep(POLL_SECONDS)


def chosen_port() -> int:
    """The port that PORT names, checked to be free; without PORT, the first one that is."""
    text = os.environ.get("PORT")
    if not text:
        port = next(port for port in PORTS if why_not(port) is None)
        if port != PORTS[0]:
            say(f"Port {PORTS[0]} is taken, so this is on port {port}.")
        return port
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise StartRefused("PORT must be a number from 1 to 65535.")
    if reason := why_not(int(text)):
        raise StartRefused(f"Port {text} is not available ({reason}): set PORT to another one.")
    return int(text)


def why_not(port: int) -> str | None:
    """Why this port cannot be listened on; None if it can."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError as error:
        return error.strerror
    return None


@contextlib.contextmanager
def servers() -> Iterator[Running | None]:
    """The embedded servers, or None if the environment names both servers."""
    named = [name for name in ("DATABASE_URL", "REDIS_URL") if is_given(name)]
    if len(named) == 1:
        raise StartRefused(
            f"Only {named[0]} is set: set DATABASE_URL and REDIS_URL both, or neither."
        )
    if named:
        yield None
    else:
        say("Starting PostgreSQL and Valkey ...")
        with embedded.serving(own=True) as up:
            yield up


@contextlib.contextmanager
def family(up: Running | None) -> Iterator[Family]:
    """A family whose members have all exited when the block is left."""
    environment = {"LOG_FORMAT": "short" if sys.stdout.isatty() else "json"} | os.environ
    everyone = Family(environment)
    if up:
        made = up.environment | counting(up.state) | bytecode(up.state) | opening(up.state)
        everyone = Family(environment | made, up.servers)
    try:
        yield everyone
    finally:
        # The rest is bounded, and a second Ctrl-C must not cut it short.
        STOP.ignore_more()
        say("Stopping ...")
        everyone.end()


def counting(state: State) -> dict[str, str]:
    """The metrics folder that the service's processes share: the one set, or an emptied one."""
    folder = state.folder / "metrics"
    with state.refusing():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    name = "PROMETHEUS_MULTIPROC_DIR"
    return {name: os.environ.get(name) or str(folder)}


def bytecode(state: State) -> dict[str, str]:
    """Where the processes keep their modules' bytecode, each of which they need several times.

    Outside of the sources and of .venv, so also where Python is told not to litter those.
    """
    name = "PYTHONPYCACHEPREFIX"
    folder = os.environ.get(name) or str(state.folder / "bytecode")
    return {name: folder, "PYTHONDONTWRITEBYTECODE": ""}


def opening(state: State) -> dict[str, str]:
    """The file whose presence lets the web server open its port."""
    file = _prepared(state)
    with state.refusing():
        file.unlink(missing_ok=True)
    return {"FIDO_OPENS_AFTER": str(file)}


def prepare(everyone: Family, state: State | None, once_migrated: Callable[[], None]) -> str | None:
    """Migrate, and load the demonstration unless an earlier start did; return its password.

    `once_migrated` starts what needs the tables, and waits for the demonstration by itself.
    """
    if state is None or state.demo_password():
        everyone.start(PREPARING, "-m", "fido.embedded.prepare")
        everyone.finish(PREPARING)
        once_migrated()
    else:
        _demonstrate(everyone, state, once_migrated)
    if state is None:
        return None
    _prepared(state).touch()
    return state.demo_password()


def _demonstrate(everyone: Family, state: State, once_migrated: Callable[[], None]) -> None:
    tables = state.folder / "migrated"
    tables.unlink(missing_ok=True)
    command = ("-m", "fido.embedded.prepare", "--demonstration", str(tables))
    process = everyone.start(PREPARING, *command)
    while not (tables.exists() or _has_ended(process)):
        STOP.check()
    if process.poll() in {None, 0}:
        once_migrated()
    everyone.finish(PREPARING)
    password = Environment(everyone.environment).text("FIDO_DEMO_PASSWORD", "a password")
    state.keep_demo_password(password)


def _prepared(state: State) -> Path:
    return state.folder / "prepared"


def start_web(everyone: Family, port: int) -> None:
    say("Starting the web server, the worker and the scheduler ...")
    everyone.start("The web server", "-m", "gunicorn", *web_options(port), "fido.wsgi")


def start_workers(everyone: Family) -> None:
    # Celery warns that it runs as root. This is expected and safe: the queue accepts only JSON.
    quietly = ("-W", "ignore::UserWarning:celery.platforms")
    celery = (*quietly, "-m", "celery", "--quiet", "-A", "fido")
    for name, role in (("The Celery worker", WORKER), ("Celery beat", ("beat",))):
        # If the launcher is killed, the queue stops too, and a worker told to stop waits for it. So
        # the death signal is SIGKILL: any job may be interrupted and repeated.
        everyone.start(name, *celery, *role, "--loglevel=WARNING", death_signal=signal.SIGKILL)


def web_options(port: int) -> list[str]:
    # Two per core. Each has up to six connections to PostgreSQL, which accepts 100.
    workers = min(2 * (os.cpu_count() or 1), 12)
    return [
        "--config=python:fido.serving.config",
        f"--bind=127.0.0.1:{port}",
        f"--workers={workers}",
        f"--graceful-timeout={END_SECONDS - 2}",
        "--log-level=warning",
    ]


def wait_until_live(everyone: Family, port: int) -> None:
    deadline = time.monotonic() + LIVE_SECONDS
    probe = urllib.request.Request(f"http://127.0.0.1:{port}/livez")
    # A host name that the service accepts; a name such as .example.org covers its subdomains.
    hosts = everyone.environment.get("ALLOWED_HOSTS", "").replace(",", " ").split()
    probe.add_header("Host", next(iter(hosts), "localhost").lstrip(".").replace("*", "localhost"))
    while not _answers(probe):
        everyone.check()
        if time.monotonic() > deadline:
            raise ChildDied(f"The web server did not answer within {LIVE_SECONDS} seconds.")
        time.sleep(POLL_SECONDS)


def _answers(probe: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(probe, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def address_at(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def announced(up: Running | None, port: int) -> contextlib.AbstractContextManager[None]:
    return up.state.announcing(address_at(port)) if up else contextlib.nullcontext()


def greet(port: int, password: str | None, seconds: float) -> None:
    address = address_at(port)
    say(f"\nFido is up after {seconds:.1f} s.  API: {address}/api/docs   Admin: {address}/admin/")
    if password is not None:
        say(f"Log in as ada (a customer) or admin (staff), with the password {password}")
        say("`make password` shows it again. Press Ctrl-C to stop.\n")
    else:
        say("Press Ctrl-C to stop.\n")


def say(text: str) -> None:
    # A closed terminal must not keep the rest from stopping.
    with contextlib.suppress(OSError):
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
