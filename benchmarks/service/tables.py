"""The table at the end: a row for each workload."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from benchmarks.service.figures import GROUPS, Cost, Figure, Spread

NOTES = """\
CPU time a request (of a bulk: a row) in microseconds, of all processes; medians of three rounds in
turns, the rounds' least and most ratio beside. What a write leaves to the worker is in it. C is
FastAPI with asyncpg on uvicorn. Ratios are of CPU time; a bulk's is of rows a second, an import's
of its time; at a million rows it is what C costs ÷ what Fido costs.
docs/adr/0018-benchmarks.md says what is compared with what."""


def table(figures: Iterable[Figure]) -> Table:
    table = Table(title="What a request costs")
    table.add_column("", no_wrap=True)
    for heading in (*GROUPS, "Fido µs", "C µs", "ratio", "rounds", "target", "req/s", "C req/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for figure in figures:
        table.add_row(figure.name, *_cells(figure))
    return table


def floors(figures: Iterable[Figure]) -> Table:
    """What the peers besides C pay for the same."""
    table = Table(title="The floor below")
    for heading in ("", "µs", "req/s"):
        table.add_column(heading, justify="right" if heading else "left")
    for figure in figures:
        for side, cost in figure.costs.items():
            if side not in {"fido", "C"}:
                name = f"{figure.name}: {FLOORS[side]}"
                table.add_row(name, _whole(cost.total), _whole(cost.rate))
    return table


FLOORS = {
    "view": "a Django view, JWT and one Redis value",
    "plain": "gunicorn alone",
    "psycopg": "the statements alone",
}


def _cells(figure: Figure) -> list[str | Text]:
    fido, peer = figure.costs.get("fido"), figure.costs.get("C")
    return [
        *_groups(fido),
        _total(fido),
        _total(peer),
        Text(_ratio(figure.ratio), style="" if figure.is_met else "bold red"),
        _range(figure.ratio),
        target_of(figure),
        _rate(fido),
        _rate(peer),
    ]


def _groups(cost: Cost | None) -> list[str]:
    return [_whole(cost.cpu.get(group)) if cost else "" for group in GROUPS]


def _total(cost: Cost | None) -> str:
    return _whole(cost.total) if cost else ""


def _rate(cost: Cost | None) -> str:
    return _whole(cost.rate) if cost else ""


def target_of(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≥' if figure.at_least else '≤'} {figure.target:g}"


def _whole(spread: Spread | None) -> str:
    return f"{spread.median:,.0f}" if spread else ""


def _ratio(spread: Spread | None) -> str:
    return f"{spread.median:.2f}" if spread else ""


def _range(spread: Spread | None) -> str:
    return f"{spread.least:.2f}–{spread.most:.2f}" if spread else ""
