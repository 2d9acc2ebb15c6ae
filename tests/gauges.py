"""The operator's gauges as Prometheus reads them."""

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from fido.gauges import collector


def samples(page: str) -> dict[str, float]:
    """Each sample by its name and the values of its labels: `name value value`."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            name = " ".join([sample.name, *sample.labels.values()])
            assert name not in found, f"{name} is there twice"
            found[name] = sample.value
    return found


def counted(name: str, **labels: str) -> float | None:
    """What this process has counted; None: it has never been counted."""
    return REGISTRY.get_sample_value(f"fido_{name}_total", labels)


def gauges() -> dict[str, float]:
    """A scrape's gauges, without `fido_`."""
    page = collector.exposition().decode()
    return {name.removeprefix("fido_"): value for name, value in samples(page).items()}
