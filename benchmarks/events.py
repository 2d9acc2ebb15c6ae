"""The cost of an event for a user with few transactions, and for one with very many."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count

from rich.table import Table

from accounts.models import User
from benchmarks.http import Caller
from benchmarks.measure import Cost, in_turns
from benchmarks.world import FIRST, long_history
from tests.client import session_of

FEW, MANY = 10, 1_000_000
MOST = 1.5

Costs = dict[int, Cost]


def measured(rounds: int) -> Costs:
    """A deposit and a withdrawal, by the length of the earlier history, in turns."""
    ways = {f"{length}": _way(long_history(length), length) for length in (FEW, MANY)}
    costs = in_turns(ways, rounds, lambda: None)
    return {length: costs[f"{length}"] for length in (FEW, MANY)}


def kept_promise(costs: Costs) -> bool:
    return costs[MANY].wall <= MOST * costs[FEW].wall


def table(costs: Costs) -> Table:
    """A row for each length: the ratio first, then microseconds for context."""
    table = Table(title=f"A deposit and a withdrawal by POST /events. We promise at most {MOST}.")
    table.add_column("earlier transactions", justify="right")
    table.add_column(f"wall ÷ {FEW}", justify="right")
    table.add_column("wall µs", justify="right", style="dim")
    for length, cost in costs.items():
        ratio = cost.wall / costs[FEW].wall
        table.add_row(f"{length:,}", f"{ratio:.2f}", f"{cost.wall:.0f}")
    return table


def _way(user: User, length: int) -> Callable[[], object]:
    caller, seconds = Caller(session_of(user).access_token), count()
    # One minute apart, like the copies.
    after = int((FIRST + timedelta(minutes=length + 1)).timestamp())

    def send(kind: str, amount: str) -> None:
        body = {"type": kind, "amount": amount, "user_id": user.pk}
        caller.post("/api/v1/events", body | {"time": after + next(seconds)})

    def both() -> None:
        send("deposit", "1.00")
        send("withdraw", "0.50")

    return both
