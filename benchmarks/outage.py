"""The cost of the same answers while Redis is away, as ratios to their cost with Redis."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from django.conf import settings
from django.test import override_settings
from rich.table import Table

from benchmarks.measure import Cost, in_turns
from benchmarks.paths import Contenders
from fido.lib.cache.redis_link import link
from fido.lib.cache.versioned_cache import PATIENCE_SECONDS
from tests.races import wait_until
from tests.valkey import Valkey

# With and without Redis in turns, so that other load on the machine affects both equally.
TURNS = 5
NOTES = """\
Medians of one call. No answer is found kept: with Redis there it is a miss, and is kept. Without,
the process knows already that Redis is away; nobody listens on its port. We promise at most 2."""
MOST = 2.0

Costs = dict[str, Cost]


def measured(what: Contenders, rounds: int) -> tuple[Costs, Costs]:
    """Each path with Redis, and with Redis away."""
    ways = {path.name: path.service for path in what.paths if not path.is_kept}
    present, away = list[Costs](), list[Costs]()
    with _redis_of_our_own() as valkey:
        for _ in range(TURNS):
            present.append(in_turns(ways, rounds // TURNS, what.fold))
            valkey.kill()
            next(iter(ways.values()))()  # the first call detects the outage
            wait_until(lambda: link.down_seconds > PATIENCE_SECONDS)
            away.append(in_turns(ways, rounds // TURNS, what.fold))
            valkey.start()
            wait_until(lambda: not link.is_down)
    return _medians(present), _medians(away)


@contextmanager
def _redis_of_our_own() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory() as folder:
        valkey = Valkey(Path(folder))
        elsewhere = {**settings.CACHES["default"], "LOCATION": valkey.url}
        with override_settings(CACHES={"default": elsewhere}):
            yield valkey
            wait_until(lambda: not link.is_down)
        valkey.kill()


def kept_promise(present: Costs, away: Costs) -> bool:
    return all(cost.wall <= MOST * present[name].wall for name, cost in away.items())


def _medians(turns: list[Costs]) -> Costs:
    return {
        name: Cost(
            median(turn[name].cpu for turn in turns), median(turn[name].wall for turn in turns)
        )
        for name in turns[0]
    }


def table(present: Costs, away: Costs) -> Table:
    """A row for each path: the ratio first, then microseconds for context."""
    table = Table(title="While Redis is away: as multiples of the cost with Redis")
    table.add_column("", no_wrap=True)
    table.add_column("wall ÷ miss", justify="right")
    for heading in ("away µs", "miss µs"):
        table.add_column(heading, justify="right", style="dim")
    for name, cost in away.items():
        ratio = cost.wall / present[name].wall
        table.add_row(name, f"{ratio:.2f}", f"{cost.wall:.0f}", f"{present[name].wall:.0f}")
    return table
