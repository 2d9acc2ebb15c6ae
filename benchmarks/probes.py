"""How fast the probes answer while something tries to stop the service.

A probe that waits behind what it should report gets a service killed that was only busy.
"""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection
from rich.table import Table

from accounts.models import SERVICE_GROUP
from benchmarks import world
from benchmarks.service import stack
from benchmarks.service.stack import Servers, Side
from benchmarks.service.world import in_database
from tests.client import session_of
from tests.cut_line import Line, laid
from tests.factories import record
from transactions.models import Transaction

EVERY_SECONDS, SECONDS = 0.02, 5.0
MOST_MILLISECONDS, MOST_READY_SECONDS = 100.0, 5.0
SLOW_CLIENTS, CLIENTS, BULK_USERS = 300, 400, 1_000
HALF = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
NOTES = """\
/livez each 20 ms for 5 s, a connection for each; "ready" is how long after the end of all that
/readyz took to say so. The clients run on the same cores. We promise 99 % within 100 ms, and to be
ready within 5 s."""


@dataclass(frozen=True)
class Answered:
    """Milliseconds until /livez answered; seconds until /readyz did, once it was over."""

    median: float
    p99: float
    most: float
    ready_seconds: float


Trouble = Callable[[Side], AbstractContextManager[Any]]


def measured(database: str, folder: Path) -> dict[str, Answered]:
    """Each trouble, and how the probes did during it."""
    with laid(in_database(database)) as line:
        log = folder / "probes.log"
        with stack.fido(Servers.of(folder), line.url, log, lambda: None) as side:
            for _ in range(50):  # each process answers its first
                _ask(side, "/livez")
            return {name: _during(side, trouble) for name, trouble in troubles(line).items()}


def troubles(line: Line) -> dict[str, Trouble]:
    ada, service = world.user("probed"), world.user("probing")
    service.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    row = record(ada)
    users = [world.user(f"probed-{number}").pk for number in range(BULK_USERS)]
    mine, theirs = (session_of(user).access_token for user in (ada, service))
    return {
        "nothing": contextlib.nullcontext,
        f"{SLOW_CLIENTS} clients that stop half way": _slow,
        "10 edits of a row that somebody keeps locked": lambda side: _locked(side, mine, row),
        f"4 bulks over {BULK_USERS:,} users": lambda side: _bulks(side, theirs, users),
        f"{CLIENTS} clients at once": lambda side: _crowd(side, mine),
        "10 edits when PostgreSQL falls silent": lambda side: _silent(side, mine, row, line),
    }


def _during(side: Side, trouble: Trouble) -> Answered:
    taken = list[float]()
    with trouble(side):
        time.sleep(0.5)
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            began = time.perf_counter()
            _ask(side, "/livez")
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(EVERY_SECONDS)
    began = time.perf_counter()
    while _ask(side, "/readyz") != 200:
        time.sleep(0.05)
    cuts = quantiles(taken, n=100)
    return Answered(cuts[49], cuts[98], max(taken), time.perf_counter() - began)


def _ask(side: Side, path: str, method: str = "GET", token: str = "", body: str = "") -> int:
    link = http.client.HTTPConnection("127.0.0.1", side.port, timeout=60)
    headers = {"Host": "localhost", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with contextlib.closing(link):
        link.request(method, path, body, headers)
        answer = link.getresponse()
        answer.read()
    return answer.status


@contextlib.contextmanager
def _slow(side: Side) -> Iterator[None]:
    with contextlib.ExitStack() as opened:
        for _ in range(SLOW_CLIENTS):
            client = socket.create_connection(("127.0.0.1", side.port))
            opened.enter_context(client).sendall(HALF)
        yield


@contextlib.contextmanager
def _locked(side: Side, token: str, row: Transaction) -> Iterator[None]:
    """Ten edits wait for a lock."""
    other = connection.copy()
    other.set_autocommit(False)
    table = Transaction._meta.db_table
    with contextlib.closing(other), ThreadPoolExecutor(10) as pool:
        with other.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE", [row.pk])
        path, body = f"/api/v1/transactions/{row.pk}", json.dumps({"description": "edited"})
        for _ in range(10):
            pool.submit(_ask, side, path, "PATCH", token, body)
        yield
        other.rollback()


@contextlib.contextmanager
def _silent(side: Side, token: str, row: Transaction, line: Line) -> Iterator[None]:
    """The connections become silent while ten edits wait for an answer on them; new ones work."""
    with _locked(side, token, row):
        time.sleep(0.5)
        line.silence()
        yield


@contextlib.contextmanager
def _bulks(side: Side, token: str, users: list[int]) -> Iterator[None]:
    row = {
        "transaction_date": "2026-01-31",
        "transaction_amount": "1",
        "transaction_type": "credit",
    }
    body = json.dumps([row | {"user_id": user_id} for user_id in users])
    path = "/api/v1/transactions/bulk?atomic=false"
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(_ask, side, path, "POST", token, body)
        yield


@contextlib.contextmanager
def _crowd(side: Side, token: str) -> Iterator[None]:
    """A process of its own: as many threads here would delay the probes themselves."""
    lane = (
        "GET /api/v1/transactions?limit=200&end=#DAY###### HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    )
    order = {"port": side.port, "lanes": [[lane]] * CLIENTS, "seconds": SECONDS + 0.5}
    with tempfile.TemporaryFile("w+") as asked:
        json.dump(order, asked)
        asked.seek(0)
        command = (sys.executable, "-m", "benchmarks.service.load")
        done = threading.Thread(
            target=lambda: subprocess.run(
                command, stdin=asked, stdout=subprocess.DEVNULL, check=False
            )
        )
        done.start()
        yield
        done.join()


def kept_promise(answered: dict[str, Answered]) -> bool:
    return all(
        each.p99 <= MOST_MILLISECONDS and each.ready_seconds <= MOST_READY_SECONDS
        for each in answered.values()
    )


def table(answered: dict[str, Answered]) -> Table:
    table = Table(title="The probes meanwhile")
    for heading in ("trouble", "median ms", "99 % ms", "most ms", "ready s"):
        table.add_column(heading, justify="left" if heading == "trouble" else "right")
    for name, each in answered.items():
        figures = (each.median, each.p99, each.most, each.ready_seconds)
        table.add_row(name, *(f"{figure:.1f}" for figure in figures))
    return table
