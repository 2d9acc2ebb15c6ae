"""What the storm prints at its end."""

from collections import defaultdict
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from tests.storms.faults.faults import EACH, planned
from tests.storms.faults.storm import RECOVERY_SECONDS, Storm


def printed(storm: Storm, seed: int) -> str:
    console = Console(width=110, force_terminal=False)
    with console.capture() as capture:
        console.print(*storm.steps, sep="\n", highlight=False, markup=False)
        console.print(_faults(storm), _requests(storm))
        console.print(*_figures(storm, seed), *storm.found[:50], sep="\n", markup=False)
    return capture.get()


def _faults(storm: Storm) -> Table:
    table = Table("fault", "times", "median s", "worst s", title="faults and recoveries")
    for name in sorted(EACH):
        times = str(storm.hits[name]) if name in planned(storm.world) else "not possible here"
        seconds = sorted(storm.recoveries[name])
        spread = (seconds[len(seconds) // 2], seconds[-1]) if seconds else ()
        table.add_row(name, times, *(f"{each:.2f}" for each in spread))
    return table


def _requests(storm: Storm) -> Table:
    by_outcome: dict[str, dict[str, int]] = defaultdict(dict)
    for (what, outcome), number in storm.service.outcomes.items():
        by_outcome[outcome][what] = number
    table = Table("outcome", "requests", "of these", title="requests by outcome")
    for outcome, numbers in sorted(by_outcome.items()):
        parts = ", ".join(f"{what} {number}" for what, number in sorted(numbers.items()))
        table.add_row(outcome, str(sum(numbers.values())), parts)
    return table


def _figures(storm: Storm, seed: int) -> Iterable[str]:
    yield f"seed {seed}, {storm.rounds} rounds, {storm.service.outcomes.total():,} requests"
    yield f"writes: {', '.join(f'{fate.value} {n:,}' for fate, n in storm.fates.items())}"
    yield f"answers by source: {dict(storm.service.sources)}"
    alerts, received = len(storm.truth.alerts), len(storm.world.receiver.received)
    yield f"{len(storm.truth.rows):,} transactions, {alerts:,} alerts, {received:,} webhooks"
    ended = {each.name: each.ends for each in storm.world.processes if each.ends}
    yield f"processes that ended by themselves: {ended or 'none'}"
    yield f"a recovery may take {RECOVERY_SECONDS:.0f} s times the slowness of the machine"
