"""PostgreSQL and Valkey without installing either: for `make run`, `manage.py` and the tests.

One process on a state folder *owns* the servers: it starts and stops them. Any other process is a
*guest* and only uses them. Everything is kept inside the state folder, and no server outlives its
owner. See docs/adr/0002-embedded-servers.md.
"""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fido.embedded import postgres, valkey
from fido.embedded.process import StartRefused, unprivileged
from fido.embedded.servers import Host, Server
from fido.embedded.state import PASSWORDS, POSTGRES, VALKEY, Note, State
from fido.env import is_given

__all__ = ["Running", "Server", "StartRefused", "State", "generated", "running", "serving"]

# Longer than a server's start plus its stop may take.
JOIN_SECONDS = 120
ORPHAN_SECONDS = 5


@dataclass(frozen=True)
class Running:
    """What a process needs to use the servers; a guest has no handles on them."""

    environment: dict[str, str]
    state: State
    servers: tuple[Server, ...] = ()


@contextlib.contextmanager
def running(
    state: Path | None = None, *, fast: bool = False, own: bool = False
) -> Iterator[dict[str, str]]:
    """Run the servers for the duration, and yield the environment that a service needs.

    Variables that are already set take precedence. `fast` gives up crash safety, for tests. `own`
    insists on starting the servers here, and then does not wait for guests at the end.

    Raises:
        StartRefused: with one sentence that tells a person what to do.
    """
    with serving(state, fast=fast, own=own) as up:
        yield up.environment


@contextlib.contextmanager
def serving(
    state: Path | None = None, *, fast: bool = False, own: bool = False
) -> Iterator[Running]:
    """Like `running`, with handles on the servers for an owner that supervises them."""
    place = State(state)
    with contextlib.ExitStack() as stack:
        with place.refusing():
            lock, is_owner = _join(place, own=own)
            stack.callback(os.close, lock)
            guests = place.open_lock("users")
            # Closed only after the servers have stopped, so that no guest joins in between.
            stack.callback(os.close, guests)
            servers = _start(place, lock, stack, fast=fast) if is_owner else ()
            environment = _environment(place)
        if is_owner and not own:
            stack.callback(_wait_for, guests)
        yield Running(environment, place, servers)


def _join(place: State, *, own: bool) -> tuple[int, bool]:
    """The owner's lock and True, or a guest's lock and False, as soon as either is available."""
    started = time.monotonic()
    while (waited := time.monotonic() - started) < JOIN_SECONDS:
        if (lock := place.lock("owner", fcntl.LOCK_EX)) is not None:
            return lock, True
        note = place.note()
        if note and not note.owner_lives():
            # Linux ends orphans itself, within moments. Before that, the pids in a fresh note may
            # belong to other processes by now.
            if waited > ORPHAN_SECONDS:
                note.end_orphans()
        elif note and own:
            raise StartRefused(f"{place.folder} is in use by process {note.owner}: stop it first.")
        elif note and (seat := _seat(place)) is not None:
            return seat, False
        time.sleep(0.05)
    raise StartRefused(f"{place.folder} is held by servers that neither answer nor stop.")


def _seat(place: State) -> int | None:
    """A guest's lock, if there are still servers to use."""
    seat = place.lock("users", fcntl.LOCK_SH)
    # Checked under the lock: an owner that waits for its guests stops only once it holds the lock
    # exclusively, and withdraws the note before it releases it.
    if seat is not None and place.note() is None:
        os.close(seat)
        return None
    return seat


def _start(
    place: State, lock: int, stack: contextlib.ExitStack, *, fast: bool
) -> tuple[Server, Server]:
    place.withdraw()
    place.check_space()
    host = Host(place, unprivileged(postgres.program("postgres"), place.folder), lock, fast)
    cache = valkey.start(host)
    stack.callback(cache.stop)
    database = postgres.start(host)
    stack.callback(database.stop)
    stack.callback(place.withdraw)
    place.publish(
        Note(os.getpid(), database.process.pid, database.port, cache.process.pid, cache.port)
    )
    return database, cache


def _wait_for(guests: int) -> None:
    """Take the guests' lock exclusively, and keep it."""
    try:
        fcntl.flock(guests, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Other commands still use the servers: waiting for them to finish.", file=sys.stderr)
        fcntl.flock(guests, fcntl.LOCK_EX)


def _environment(place: State) -> dict[str, str]:
    note, made = place.note(), place.secrets()
    if note is None:
        raise StartRefused(f"The servers in {place.folder} have just stopped: try again.")
    postgres_login, valkey_login = f"fido:{made[POSTGRES]}", f":{made[VALKEY]}"
    return generated(place) | _unless_set(
        {
            "DATABASE_URL": f"postgres://{postgres_login}@127.0.0.1:{note.postgres_port}/fido",
            "REDIS_URL": f"redis://{valkey_login}@127.0.0.1:{note.valkey_port}/0",
        }
    )


def generated(place: State) -> dict[str, str]:
    """The settings besides the servers' addresses. Variables already set take precedence."""
    made = {name: value for name, value in place.secrets().items() if name not in PASSWORDS}
    hosts = {"ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]", "HTTPS_ONLY": "false"}
    return _unless_set(made | hosts | {"IMPORTS_DIR": str(place.folder / "imports")})


def _unless_set(variables: dict[str, str]) -> dict[str, str]:
    given = {name: os.environ.get(name, "") for name in variables if is_given(name)}
    # A value given by file must not be given a second time.
    return variables | given
