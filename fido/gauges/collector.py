"""All gauges, read at each scrape, and which of them could not be read."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fido.gauges import database, queue
from fido.gauges.families import Readings

SOURCES: dict[str, Callable[[], Readings]] = {
    "postgresql": database.readings,
    "queue": queue.queue_readings,
    "redis": queue.progress_readings,
}
TEXT = "Whether these gauges could be read; 0: the source did not answer, or not in time."


class Gauges(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        is_read = GaugeMetricFamily("fido_gauges_read", TEXT, labels=["source", "gauges"])
        for source, readings in SOURCES.items():
            for name, families in readings().items():
                is_read.add_metric([source, name], families is not None)
                yield from families or ()
        yield is_read


def exposition() -> bytes:
    """All gauges in Prometheus' text format."""
    # A registry of their own. In the global one, a process would ask for them when it registers.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Gauges())
    return generate_latest(registry)
