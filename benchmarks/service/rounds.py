"""Measures all workloads in rounds, in which the services take turns."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from benchmarks.service.load import FIRST_NUMBER, Order, Outcome
from benchmarks.service.stack import Side
from benchmarks.service.workloads import Workload
from benchmarks.service.world import World

ROUNDS = 3
WARM_SECONDS = 0.2
IDLE_SECONDS = 2.0
# More than one sample sends; so no question is asked twice, and no key is used twice.
NUMBERS = 100_000
ACCEPTED = {"200", "201", "304"}


@dataclass(frozen=True)
class Sample:
    """One side in one round. `cpu` is microseconds a request by group of processes.

    Each row of a bulk counts as a request.
    """

    requests: int
    seconds: float
    cpu: dict[str, float]
    median_ms: float
    p99_ms: float

    @property
    def cpu_total(self) -> float:
        return sum(self.cpu.values())

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


Samples = dict[str, dict[str, list[Sample]]]
Idle = dict[str, dict[str, float]]


class Meter:
    """Takes samples, and remembers which numbers have been used."""

    def __init__(self, world: World, sides: Iterable[Side], seconds: float) -> None:
        self.world, self.seconds = world, seconds
        self.sides = {side.name: side for side in sides}
        self.first_number = dict[str, int]()
        self.idle: Idle = {}

    def measured(self, workloads: Iterable[Workload], step: Callable[[int], None]) -> Samples:
        """Samples by workload and side. The first round only warms up."""
        chosen = list(workloads)
        samples: Samples = {each.name: {side: [] for side in each.sides} for each in chosen}
        for number in range(ROUNDS + 1):
            if number == 1:
                self.idle = {name: _idle(side) for name, side in self.sides.items()}
            for workload in chosen:
                for name in workload.sides:
                    sample = self._sample(workload, self.sides[name], warms_up=number == 0)
                    samples[workload.name][name] += [sample] if number else []
                    step(1)
        return samples

    def _sample(self, workload: Workload, side: Side, *, warms_up: bool) -> Sample:
        order = Order(
            side.port,
            workload.make(self.world, side),
            WARM_SECONDS if warms_up else self.seconds,
            self._numbers(workload),
        )
        before = side.cpu_seconds()
        outcome = loaded(order)
        ended = time.perf_counter()
        if workload.writes:
            side.settle()  # what a write leaves to be done belongs to it
        waited = time.perf_counter() - ended
        used = {group: now - before[group] for group, now in side.cpu_seconds().items()}
        _require_success(workload, side, outcome)
        return _sample(outcome, used, self.idle.get(side.name, {}), waited, workload.rows)

    def _numbers(self, workload: Workload) -> int:
        first = self.first_number.get(workload.name, FIRST_NUMBER)
        self.first_number[workload.name] = first + NUMBERS
        return first


def loaded(order: Order) -> Outcome:
    """What came of an order that a process of its own has carried out."""
    command = [sys.executable, "-m", "benchmarks.service.load"]
    text = json.dumps(asdict(order))
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The load ended early: {done.stderr[-2000:]}")
    return Outcome(**json.loads(done.stdout))


def _sample(
    outcome: Outcome, used: dict[str, float], idle: dict[str, float], waited: float, rows: int
) -> Sample:
    """What the processes use when nothing is asked, for as long as we waited, is nobody's."""
    requests = rows * sum(outcome.statuses.values())
    cpu = {
        group: max(0.0, seconds - waited * idle.get(group, 0.0)) * 1e6 / requests
        for group, seconds in used.items()
    }
    return Sample(requests, outcome.seconds, cpu, outcome.median, outcome.p99)


def _idle(side: Side) -> dict[str, float]:
    """CPU seconds a second of each group while nothing is asked."""
    before = side.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    return {
        group: (now - before[group]) / IDLE_SECONDS for group, now in side.cpu_seconds().items()
    }


def _require_success(workload: Workload, side: Side, outcome: Outcome) -> None:
    if bad := set(outcome.statuses) - ACCEPTED:
        raise RuntimeError(f"{workload.name}: {side.name} answered {', '.join(sorted(bad))}.")
