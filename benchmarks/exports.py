"""The cost of an export, compared with the least possible cost."""

import csv
import io
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from rich.table import Table

from benchmarks import world
from benchmarks.http import Caller
from benchmarks.statements import Bare
from fido.lib.values.crypto.keys import fernet_ring
from tests.client import session_of

ROWS, ROUNDS = 100_000, 3
FULL_NAME, DESCRIPTION = 2, 7


@dataclass(frozen=True)
class Timing:
    """Seconds to the first part and to the end."""

    first: float
    whole: float


def measured(bare: Bare) -> dict[str, Timing]:
    """Medians of each way, measured in turns."""
    user = world.user_with_history("exporter", ROWS)
    caller = Caller(session_of(user).access_token)
    path = "/api/v1/transactions/export?format="
    ways = {
        "CSV": lambda: caller.parts("GET", f"{path}csv"),
        "NDJSON": lambda: caller.parts("GET", f"{path}ndjson"),
        "psycopg, decryption and csv.writer": lambda: _bare_csv(bare, user.pk),
    }
    taken = [{name: _timed(way()) for name, way in ways.items()} for _ in range(ROUNDS)]
    return {name: _median([each[name] for each in taken]) for name in ways}


def table(timings: dict[str, Timing]) -> Table:
    """A row for each way; the others are compared with the last one."""
    least = list(timings.values())[-1]
    table = Table(title=f"An export of {ROWS:,} transactions")
    table.add_column("", no_wrap=True)
    for heading in ("time ÷ psycopg", "first byte ÷ whole"):
        table.add_column(heading, justify="right")
    for heading in ("rows/s", "first byte ms"):
        table.add_column(heading, justify="right", style="dim")
    for name, timing in timings.items():
        table.add_row(
            name,
            f"{timing.whole / least.whole:.1f}",
            f"{timing.first / timing.whole:.4f}",
            f"{ROWS / timing.whole:,.0f}",
            f"{timing.first * 1000:.1f}",
        )
    return table


def _bare_csv(bare: Bare, user_id: int) -> Iterator[bytes]:
    ring = fernet_ring()
    for rows in bare.export(user_id):
        file = io.StringIO()
        writer = csv.writer(file)
        for row in rows:
            cells = list(row)
            cells[FULL_NAME] = ring.decrypt(row[FULL_NAME]).decode()
            cells[DESCRIPTION] = ring.decrypt(row[DESCRIPTION]).decode()
            writer.writerow(cells)
        yield file.getvalue().encode()


def _timed(parts: Iterable[bytes]) -> Timing:
    started, first = time.perf_counter(), 0.0
    for part in parts:
        if part and not first:
            first = time.perf_counter() - started
    return Timing(first, time.perf_counter() - started)


def _median(timings: list[Timing]) -> Timing:
    return Timing(
        median(timing.first for timing in timings), median(timing.whole for timing in timings)
    )
