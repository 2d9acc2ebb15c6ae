"""Gauges of standing checks, computed from the database when they are asked for.

A gauge that a process keeps would stay for ever when that process ends.
"""

from collections.abc import Iterator

from django.db import DatabaseError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from analytics.checks import queries
from fido.lib.values import clock


class Gauges(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        state = queries.state()
        found = GaugeMetricFamily(
            "fido_differences",
            "What standing checks have found and is still there.",
            labels=["kind"],
        )
        for kind, count in state.differences.items():
            found.add_metric([kind], count)
        yield found
        if state.oldest:
            age = clock.now() - state.oldest
            yield GaugeMetricFamily(
                "fido_oldest_check_seconds",
                "How long ago the user was checked who has waited longest.",
                age.total_seconds(),
            )


def exposition() -> bytes:
    """In Prometheus' text format; nothing while PostgreSQL is away, which others say."""
    registry = CollectorRegistry()
    registry.register(Gauges())
    try:
        return generate_latest(registry)
    except DatabaseError:
        return b""
