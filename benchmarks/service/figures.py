"""From samples to the row of a workload: medians, ratios, and how far the rounds are apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.service.rounds import Sample, Samples
from benchmarks.service.workloads import Workload

GROUPS = ("web", "postgres", "valkey", "worker")


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, and the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        ranked = sorted(values)
        return cls(median(ranked), ranked[0], ranked[-1])


@dataclass(frozen=True)
class Cost:
    """What one side pays for a request: microseconds of CPU time by group, and its rate."""

    cpu: dict[str, Spread]
    total: Spread
    rate: Spread
    median_ms: Spread
    p99_ms: Spread

    @classmethod
    def of(cls, samples: list[Sample]) -> Cost:
        groups = [group for group in GROUPS if group in samples[0].cpu]
        return cls(
            {group: Spread.of(each.cpu[group] for each in samples) for group in groups},
            Spread.of(each.cpu_total for each in samples),
            Spread.of(each.rate for each in samples),
            Spread.of(each.median_ms for each in samples),
            Spread.of(each.p99_ms for each in samples),
        )


@dataclass(frozen=True)
class Figure:
    """A row. `ratio` compares Fido with `peer`, and is at most the target, or at least.

    A gain is by how much Fido costs less than its peer.
    """

    name: str
    peer: str
    costs: dict[str, Cost] = field(default_factory=dict)
    ratio: Spread | None = None
    target: float | None = None
    at_least: bool = False
    is_gain: bool = False

    @property
    def is_met(self) -> bool:
        if self.ratio is None or self.target is None:
            return True
        value = self.ratio.median
        return value >= self.target if self.at_least else value <= self.target


def figures(workloads: Iterable[Workload], samples: Samples) -> list[Figure]:
    return [_figure(each, samples) for each in workloads]


def _figure(workload: Workload, samples: Samples) -> Figure:
    mine = samples[workload.name]
    return Figure(
        name=workload.name,
        peer=workload.peer,
        costs={side: Cost.of(taken) for side, taken in mine.items()},
        ratio=_ratio(workload, mine["fido"], _peers(workload, samples)),
        target=workload.target,
        at_least=workload.ratio != "cpu",
        is_gain=workload.ratio == "cpu-inverse",
    )


def _peers(workload: Workload, samples: Samples) -> list[Sample]:
    mine = samples[workload.name]
    if workload.peer in mine:
        return mine[workload.peer]
    return samples.get(workload.peer, {}).get("fido", [])


def _ratio(workload: Workload, fido: list[Sample], peers: list[Sample]) -> Spread | None:
    """By round, since the machine's other load changes from one to the next."""
    if not peers:
        return None
    pairs = zip(fido, peers, strict=True)
    return Spread.of(_of_pair(workload, mine, peer) for mine, peer in pairs)


def _of_pair(workload: Workload, mine: Sample, peer: Sample) -> float:
    if workload.ratio == "rows":
        return mine.rate / peer.rate
    by_cpu = mine.cpu_total / peer.cpu_total
    return 1 / by_cpu if workload.ratio == "cpu-inverse" else by_cpu
