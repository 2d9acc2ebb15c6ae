"""Measures the service under load, then the paths in this process, or profiles one of them."""

import contextlib
import cProfile
import pstats
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import events, exports, imports, outage, probes, results, world
from benchmarks.measure import Cost, in_turns
from benchmarks.paths import LONG, SHORT, Contenders, contenders
from benchmarks.paths import Path as Measured
from benchmarks.report import NOTES, NOTHING, beside_each_other, statements_of, table
from benchmarks.service import picture, tables
from benchmarks.service.figures import Figure, Spread
from benchmarks.service.run import measured as under_load
from benchmarks.statements import Bare

QUICK_IMPORT, IMPORT_TARGET = 20_000, 0.6
console = Console(width=150)


@dataclass(frozen=True)
class Options:
    """`folder` is the servers' state; `output` takes the figures."""

    folder: Path
    quick: bool
    rounds: int
    profiled: str | None
    output: Path | None


def run(options: Options) -> None:
    """Print the tables, or one path's profile.

    Raises:
        SystemExit: an outage of Redis or a long history costs more than we promise, or an
            import is slower.
    """
    with world.own_database() as database, contextlib.closing(Bare(database)) as bare:
        if options.profiled:
            _profile(bare, options.profiled)
            return
        figures = under_load(database, options.folder, bare, quick=options.quick)
        importing = imports.measured(QUICK_IMPORT if options.quick else imports.ROWS)
        figures.append(_importing(importing))
        promises = imports.kept_promises(importing)
        if not options.quick:
            promises |= _probes(database, options.folder)
            promises |= _in_this_process(bare, options.rounds)
        console.print(imports.table(importing))
        _report(figures, promises, options)
    if broken := [promise for promise, is_kept in promises.items() if not is_kept]:
        sys.exit(f"Broken promises: {'; '.join(broken)}.")


def _report(figures: list[Figure], promises: dict[str, bool], options: Options) -> None:
    console.print(tables.floors(figures))
    console.print(tables.table(each for each in figures if each.ratio or "fido" in each.costs))
    console.print(tables.NOTES)
    document = results.document(figures, promises, quick=options.quick)
    if options.output:
        results.written(options.output, document)
    if options.output == results.RESULTS:
        results.PICTURE.write_text(picture.svg(figures, _caption(document)))


def _caption(document: dict[str, Any]) -> str:
    return f"C is FastAPI with asyncpg on uvicorn. {document['date']}, {document['machine']}"


def _importing(timings: imports.Timings) -> Figure:
    ratio = Spread.of(timings.shares)
    return Figure("import", "bare script", ratio=ratio, target=IMPORT_TARGET, at_least=True)


def _probes(database: str, folder: Path) -> dict[str, bool]:
    answered = probes.measured(database, folder)
    console.print(probes.table(answered))
    console.print(probes.NOTES)
    return {"the probes answer whatever clients do": probes.kept_promise(answered)}


def _in_this_process(bare: Bare, rounds: int) -> dict[str, bool]:
    """Print what calls without a network cost; return which promises are kept."""
    console.print(f"Creating users with {SHORT:,} and {LONG:,} transactions ...")
    what = contenders(bare)
    console.print(f"Measuring {rounds} rounds ...")
    costs = measured(what, rounds)
    console.print(table(what.paths, costs))
    console.print(beside_each_other(costs))
    console.print(NOTES)
    console.print(exports.table(exports.measured(bare)))
    costs_of_events = events.measured(rounds)
    console.print(events.table(costs_of_events))
    present, away = outage.measured(what, rounds)
    console.print(outage.table(present, away))
    console.print(outage.NOTES)
    return {
        "the cost of an event does not grow with the history": events.kept_promise(costs_of_events),
        "an outage of Redis costs at most twice": outage.kept_promise(present, away),
    }


def measured(what: Contenders, rounds: int) -> dict[str, Cost]:
    ways = {path.name: path.service for path in what.paths}
    statements = {statements_of(path): path.statements for path in what.paths}
    return in_turns({NOTHING: what.nothing} | ways | statements, rounds, what.fold)


def _profile(bare: Bare, name: str, calls: int = 500) -> None:
    """Where the time of one path goes."""
    path: Measured = next(each for each in contenders(bare).paths if each.name.startswith(name))
    for _ in range(calls // 10):
        path.service()
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(calls):
        path.service()
    profiler.disable()
    pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(45)
