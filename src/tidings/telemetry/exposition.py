"""What was counted, in Prometheus' text format. Of no use but to a server, and slow to import."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from tidings.telemetry.series import Counter, Histogram, Series

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def text(series: Iterable[Series]) -> bytes:
    """Return the series in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([_family(each) for each in series]))
    return generate_latest(registry)


def _family(series: Series) -> Family:
    name, help, labels = series.metric.name, series.metric.help, series.metric.labels
    if isinstance(series, Histogram):
        return _histogram(series, HistogramMetricFamily(name, help, labels=labels))
    if isinstance(series, Counter):
        counted = CounterMetricFamily(name, help, labels=labels)
        for given, value in series.values.items():
            counted.add_metric(given, value)
        return counted
    gauge = GaugeMetricFamily(name, help, labels=labels)
    for given, value in series.values:
        gauge.add_metric(given, value)
    return gauge


def _histogram(series: Histogram, family: HistogramMetricFamily) -> Family:
    bounds = [*map(str, series.metric.buckets), "+Inf"]
    for given, buckets in series.series.items():
        family.add_metric(given, list(zip(bounds, accumulate(buckets.counts), strict=True)), buckets.total)
    return family


class _Once(Collector):
    """Families as they are now."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._found = families

    def collect(self) -> Iterable[Family]:
        return self._found
