"""The table of ratios."""

from rich.table import Table

from benchmarks.measure import Cost
from benchmarks.paths import CREATE, CREATE_MANY, CREATE_ONCE, LONG, ROWS, Path

NOTHING = "a view that does nothing"
NOTES = f"""\
Medians of one call. CPU is the calling thread's; the servers' own work shows in the wall time only.
"Nothing" is a plain Django view behind the same middleware; "psycopg" is hand-written SQL, without
ORM, checks or decryption. Create and both pages are on a history of {LONG:,} transactions; totals
are folded after every round, as a worker does, outside the timing."""


def statements_of(path: Path) -> str:
    return f"{path.name}, by psycopg"


def table(paths: list[Path], costs: dict[str, Cost]) -> Table:
    """A row for each path: ratios first, then microseconds for context."""
    table = Table(
        title="In this process, without a network: as multiples of the least possible cost"
    )
    table.add_column("", no_wrap=True)
    for heading in ("CPU ÷ nothing", "÷ psycopg", "wall ÷ nothing", "÷ psycopg"):
        table.add_column(heading, justify="right")
    for heading in ("CPU µs", "wall µs"):
        table.add_column(heading, justify="right", style="dim")
    nothing = costs[NOTHING]
    for path in paths:
        cost, statements = costs[path.name], costs[statements_of(path)]
        table.add_row(path.name, *_ratios(cost, nothing, statements), *_microseconds(cost))
        table.add_row("  psycopg alone", *[""] * 4, *_microseconds(statements), style="dim")
    table.add_row(NOTHING, *[""] * 4, *_microseconds(nothing), style="dim")
    return table


def beside_each_other(costs: dict[str, Cost]) -> str:
    """What a key adds to a create, and how many rows a bulk records in the time of one create."""
    one, once, many = (costs[name] for name in (CREATE, CREATE_ONCE, CREATE_MANY))
    return (
        f"A create with a key costs {once.cpu / one.cpu:.2f} times the CPU and "
        f"{once.wall / one.wall:.2f} times the wall time of one without.\n"
        f"A bulk records {ROWS * one.cpu / many.cpu:.1f} times the rows that creates do for the "
        f"same CPU, and {ROWS * one.wall / many.wall:.1f} times as many in the same time."
    )


def _ratios(cost: Cost, nothing: Cost, statements: Cost) -> list[str]:
    ratios = (
        cost.cpu / nothing.cpu,
        cost.cpu / statements.cpu,
        cost.wall / nothing.wall,
        cost.wall / statements.wall,
    )
    return [f"{ratio:.1f}" for ratio in ratios]


def _microseconds(cost: Cost) -> list[str]:
    return [f"{cost.cpu:.0f}", f"{cost.wall:.0f}"]
