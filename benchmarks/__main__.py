"""`make bench`: what the hot paths cost, as ratios to what they could cost at the least.

    make bench ARGS="--rounds 1000"
    make bench ARGS="--profile create"
"""

import argparse
import cProfile
import json
import pstats
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from rich.console import Console
from rich.table import Table

from benchmarks import world
from benchmarks.http import Caller
from benchmarks.measure import Cost, Way, in_turns
from benchmarks.statements import Bare

SHORT, LONG = 1_000, 100_000
NOTHING = "a view that does nothing"
NOTES = f"""\
Medians. CPU is the calling thread's; the servers' own work shows in the wall time only.
"Nothing" is a plain Django view behind the same middleware. "psycopg" is the same question in
hand-written SQL, without ORM, checks or decryption. Create and both pages are on the history
of {LONG:,}; totals are folded after every round, as a worker does, outside the timing."""


@dataclass(frozen=True)
class Path:
    """A way through the service, and the statements that it cannot do without."""

    name: str
    service: Way
    statements: Way


def main() -> None:
    options = _options()
    with world.prepared():
        console = Console(width=110)
        console.print(f"Making users with {SHORT:,} and {LONG:,} transactions ...")
        paths, nothing, fold = contenders()
        if options.profile:
            profile(next(path for path in paths if path.name.startswith(options.profile)))
        else:
            console.print(f"Measuring {options.rounds} rounds ...")
            console.print(report(paths, measured(paths, nothing, fold, options.rounds)))
            console.print(NOTES)


def contenders() -> tuple[list[Path], Way, Callable[[], object]]:
    """The paths, the view that does nothing, and what a worker would do after each round."""
    from django.db import connection

    from analytics.operations import fold
    from tests.client import session_of

    short, long = (world.user_with_history(f"user{n}", n) for n in (SHORT, LONG))
    bare = Bare(connection.settings_dict["NAME"])
    few, many = (Caller(session_of(user).access_token) for user in (short, long))
    token = bytes(_stored_token(long.pk))
    deep = _middle_of(many)
    paths = [
        Path("create", _recording(many), lambda: bare.create(long.pk, token)),
        Path(
            "history, first page of 50",
            lambda: many.get("/api/v1/transactions"),
            lambda: bare.page(long.pk),
        ),
        Path("history, page in the middle", lambda: many.get(deep), lambda: bare.page(long.pk)),
        Path(
            f"analytics of {SHORT:,}",
            lambda: few.get("/api/v1/analytics"),
            lambda: bare.analytics(short.pk),
        ),
        Path(
            f"analytics of {LONG:,}",
            lambda: many.get("/api/v1/analytics"),
            lambda: bare.analytics(long.pk),
        ),
    ]
    return paths, lambda: many.get("/nothing"), lambda: fold(long.pk)


def _recording(caller: Caller) -> Way:
    numbers = count(1)

    def record() -> bytes:
        number = next(numbers)
        return caller.post(
            "/api/v1/transactions",
            {
                "transaction_amount": f"{number}.99",
                "transaction_type": "debit",
                "transaction_date": "2026-01-31T12:00:00Z",
                "currency": "USD",
            },
        )

    return record


def _stored_token(user_id: int) -> Any:
    """An encrypted name, to be inserted again as it is."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT full_name FROM accounts_user WHERE id = %s", [user_id])
        return cursor.fetchone()[0]


def _middle_of(caller: Caller) -> str:
    """The page that begins in the middle of the history."""
    answer = json.loads(caller.get("/api/v1/transactions?limit=1&end=2027-01-31"))
    return "/api/v1/transactions?" + urlencode({"cursor": _cursor(answer["next"])})


def _cursor(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))["cursor"]


def measured(
    paths: list[Path], nothing: Way, fold: Callable[[], object], rounds: int
) -> dict[str, Cost]:
    ways = {path.name: path.service for path in paths} | {NOTHING: nothing}
    return in_turns(ways | {_bare(path): path.statements for path in paths}, rounds, fold)


def _bare(path: Path) -> str:
    return f"{path.name}, by psycopg"


def report(paths: list[Path], costs: dict[str, Cost]) -> Table:
    table = Table(title="One call, in this process: times what the least would cost")
    table.add_column("")
    for heading in ("CPU ÷ nothing", "CPU ÷ psycopg", "wall ÷ nothing", "wall ÷ psycopg"):
        table.add_column(heading, justify="right")
    table.add_column("CPU µs", justify="right", style="dim")
    table.add_column("wall µs", justify="right", style="dim")
    for path in paths:
        table.add_row(path.name, *_row(costs[path.name], costs[NOTHING], costs[_bare(path)]))
        table.add_row("  by psycopg alone", *[""] * 4, *_microseconds(costs[_bare(path)]), style="dim")
    table.add_row(NOTHING, *[""] * 4, *_microseconds(costs[NOTHING]), style="dim")
    return table


def _row(cost: Cost, nothing: Cost, statements: Cost) -> list[str]:
    ratios = [
        cost.cpu / nothing.cpu,
        cost.cpu / statements.cpu,
        cost.wall / nothing.wall,
        cost.wall / statements.wall,
    ]
    return [f"{ratio:.1f}" for ratio in ratios] + _microseconds(cost)


def _microseconds(cost: Cost) -> list[str]:
    return [f"{cost.cpu:.0f}", f"{cost.wall:.0f}"]


def profile(path: Path, calls: int = 500) -> None:
    """Where the time of one path goes."""
    for _ in range(calls // 10):
        path.service()
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(calls):
        path.service()
    profiler.disable()
    pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(45)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=400, help="how often each is called")
    parser.add_argument("--profile", choices=["create", "history", "analytics"])
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except pytest.UsageError as refusal:
        sys.exit(str(refusal))
