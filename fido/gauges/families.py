"""How a gauge is built: by its name, its help, and its values by label."""

from collections.abc import Mapping

from prometheus_client.core import GaugeMetricFamily

Readings = dict[str, list[GaugeMetricFamily] | None]


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def by_label(
    name: str, text: str, label: str, values: Mapping[str, float | None]
) -> GaugeMetricFamily:
    """A gauge with a value for each of these; None is left out."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        if value is not None:
            family.add_metric([key], value)
    return family
