"""What a scrape says, as Prometheus itself would read it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tidings.app.opened import Opened
from tidings.telemetry.exposition import text

Samples = dict[tuple[str, tuple[str, ...]], float]


def read(scraped: str) -> Samples:
    """Return the samples by name and the values of their labels, in the order of the labels' names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(scraped)
        for sample in family.samples
    }


async def scrape(opened: Opened) -> Samples:
    return read(text(await opened.telemetry.series()).decode())


def named(samples: Samples, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of one name, by their labels."""
    return {labels: value for (found, labels), value in samples.items() if found == name}
