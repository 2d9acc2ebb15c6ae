"""Measures all paths in turns, or profiles one of them."""

import contextlib
import cProfile
import pstats
import sys

from rich.console import Console

from benchmarks import events, exports, imports, outage, world
from benchmarks.measure import Cost, in_turns
from benchmarks.paths import LONG, SHORT, Contenders, Path, contenders
from benchmarks.report import NOTES, NOTHING, beside_each_other, statements_of, table
from benchmarks.statements import Bare


def run(*, rounds: int, profiled: str | None = None) -> None:
    """Print the tables of ratios, or one path's profile.

    Raises:
        SystemExit: an outage of Redis or a long history costs more than we promise, or an
            import is slower.
    """
    console = Console(width=110)
    with world.own_database() as database, contextlib.closing(Bare(database)) as bare:
        console.print(f"Creating users with {SHORT:,} and {LONG:,} transactions ...")
        what = contenders(bare)
        if profiled:
            profile(next(path for path in what.paths if path.name.startswith(profiled)))
        else:
            console.print(f"Measuring {rounds} rounds ...")
            costs = measured(what, rounds)
            console.print(table(what.paths, costs))
            console.print(beside_each_other(costs))
            console.print(NOTES)
            importing = imports.measured()
            console.print(imports.table(*importing))
            console.print(exports.table(exports.measured(bare)))
            costs_of_events = events.measured(rounds)
            console.print(events.table(costs_of_events))
            present, away = outage.measured(what, rounds)
            console.print(outage.table(present, away))
            console.print(outage.NOTES)
            if not events.kept_promise(costs_of_events):
                sys.exit(
                    "The cost of an event grows with the user's history by more than promised."
                )
            if not outage.kept_promise(present, away):
                sys.exit("An outage of Redis costs more than promised.")
            if not imports.kept_promise(*importing):
                sys.exit("An import is slower than half of the bare script.")


def measured(what: Contenders, rounds: int) -> dict[str, Cost]:
    ways = {path.name: path.service for path in what.paths}
    statements = {statements_of(path): path.statements for path in what.paths}
    return in_turns({NOTHING: what.nothing} | ways | statements, rounds, what.fold)


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
