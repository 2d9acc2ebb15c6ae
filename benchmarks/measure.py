"""Times several ways in turns, so that other load on the machine affects all of them equally."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

Way = Callable[[], object]


@dataclass(frozen=True)
class Cost:
    """Medians of one call, in microseconds. `cpu` is this thread's, without the servers'."""

    cpu: float
    wall: float


def in_turns(
    ways: dict[str, Way], rounds: int, after_round: Callable[[], object]
) -> dict[str, Cost]:
    """Call each way once in every round, in a changing order, and take the medians."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    order, shuffle = list(ways), random.Random(1)
    for number in range(-rounds // 10, rounds):
        shuffle.shuffle(order)
        for name in order:
            sample = _timed(ways[name])
            if number >= 0:  # the first rounds only warm up
                samples[name].append(sample)
        after_round()
    return {name: _cost(taken) for name, taken in samples.items()}


def _timed(way: Way) -> tuple[float, float]:
    cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
    way()
    return time.thread_time_ns() - cpu, time.perf_counter_ns() - wall


def _cost(samples: list[tuple[float, float]]) -> Cost:
    cpu, wall = zip(*samples, strict=True)
    return Cost(median(cpu) / 1000, median(wall) / 1000)
