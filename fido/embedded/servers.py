"""What PostgreSQL and Valkey have in common: programs inside wheels, started as children."""

import importlib.util
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fido.embedded.process import Account, StartRefused, end, spawn
from fido.embedded.state import State

START_SECONDS = 60
# A fast shutdown writes a checkpoint, which can take long on a slow disk.
STOP_SECONDS = 30
# None of the caller's environment (LD_LIBRARY_PATH, PGDATA, ...) may reach the servers. The C
# locale keeps their messages in English, which `_port_was_taken` reads.
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}


@dataclass(frozen=True)
class Server:
    """A server that answers on `port` of 127.0.0.1."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    stop_signal: signal.Signals

    def stop(self) -> None:
        end(self.process, self.stop_signal, within_seconds=STOP_SECONDS)


@dataclass(frozen=True)
class Host:
    """What servers run on: the state folder, their account, and the owner's lock."""

    state: State
    account: Account
    lock: int
    fast: bool = False

    def launch(
        self,
        argv: list[str],
        log: Path,
        death_signal: signal.Signals,
        *,
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a program that writes to a new `log` and holds the lock until it exits."""
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
            return spawn(
                argv,
                death_signal=death_signal,
                account=self.account,
                env=ENVIRONMENT,
                cwd=cwd,
                stdin=stdin,
                stdout=output,
                stderr=output,
                pass_fds=[self.lock],
            )


def wheel(package: str) -> Path:
    """The folder of an installed wheel."""
    # find_spec does not execute the package: PostgreSQL's, run as root, would add a user and open
    # folders.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise StartRefused(
            "The embedded servers are not installed: set DATABASE_URL and REDIS_URL, "
            "or install requirements-run.txt."
        )
    return Path(spec.submodule_search_locations[0])


def started(
    name: str,
    launch: Callable[[int], subprocess.Popen[bytes]],
    answers: Callable[[int], bool],
    log: Path,
    stop_signal: signal.Signals,
) -> Server:
    """The server that `launch` starts on a free port, once it `answers` there."""
    # Another program may take the port between our check and the server's start.
    for _ in range(3):
        server = Server(name, launch(port := _free_port()), port, stop_signal)
        try:
            if _wait_until_it_answers(server, answers):
                return server
        except BaseException:
            server.stop()
            raise
        if not _port_was_taken(log):
            break
    raise StartRefused(f"{name} exited while starting: {last_line(log)}")


def _wait_until_it_answers(server: Server, answers: Callable[[int], bool]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while server.process.poll() is None:
        if answers(server.port):
            return True
        if time.monotonic() > deadline:
            raise StartRefused(f"{server.name} did not answer within {START_SECONDS} seconds.")
        time.sleep(0.02)
    return False


def _port_was_taken(log: Path) -> bool:
    return b"ddress already in use" in log.read_bytes()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_line(log: Path) -> str:
    """The line of a server's log that says why it exited."""
    lines = log.read_text(errors="replace").split("\n")
    told = [line.strip() for line in lines if line.strip()] or ["it left no message."]
    return next((line for line in reversed(told) if "FATAL" in line or "PANIC" in line), told[-1])
