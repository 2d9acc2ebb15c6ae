"""The statements that a create and a history page cannot avoid, with psycopg alone."""

import time
from collections.abc import Callable

from benchmarks.service.figures import Cost, Figure
from benchmarks.service.rounds import ROUNDS, Sample
from benchmarks.service.stack import Servers, Side
from benchmarks.service.world import World
from benchmarks.statements import Bare

CALLS = 300


def statements(bare: Bare, world: World, servers: Servers) -> list[Figure]:
    """One connection, one statement after another; CPU time of this thread and of PostgreSQL."""
    writer, reader = world.writer.pk, world.reader.pk
    token = bare.stored_name(writer)
    side = Side("psycopg", 0, servers.groups)
    ways: dict[str, Callable[[], object]] = {
        "create": lambda: bare.create(writer, token),
        "history page": lambda: bare.page(reader),
    }
    return [
        Figure(name, "", {side.name: Cost.of([_sample(side, way) for _ in range(ROUNDS)])})
        for name, way in ways.items()
    ]


def _sample(side: Side, way: Callable[[], object]) -> Sample:
    before, own, started = side.cpu_seconds(), time.thread_time(), time.perf_counter()
    for _ in range(CALLS):
        way()
    seconds, own = time.perf_counter() - started, time.thread_time() - own
    used = {group: now - before[group] for group, now in side.cpu_seconds().items()}
    cpu = {group: each * 1e6 / CALLS for group, each in ({"web": own} | used).items()}
    return Sample(CALLS, seconds, cpu, 1000 * seconds / CALLS, 1000 * seconds / CALLS)
