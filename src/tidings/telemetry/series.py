"""Numbers as they are counted: plain dictionaries, for one event loop, which cost a tenth of what locks would.

They become the library's families when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family

from tidings.telemetry.table import Metric

Labels = tuple[str, ...]


class Counter:
    """Counts by labels, in the order of the metric's own."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self.values: dict[Labels, float] = {}

    def add(self, *labels: str, count: float = 1) -> None:
        self.values[labels] = self.values.get(labels, 0) + count

    def family(self) -> Family:
        found = CounterMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
        for labels, value in self.values.items():
            found.add_metric(labels, value)
        return found


class Histogram:
    """Counts values by the bucket they fall into, for each set of labels."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._bounds = metric.buckets
        self._series: dict[Labels, _Buckets] = {}
        if not metric.labels:
            self._series[()] = _Buckets(len(self._bounds) + 1)

    def observe(self, values: Sequence[float], *labels: str) -> None:
        """Count the values, of which there is one at least. What comes together mostly falls into one bucket."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Buckets(len(self._bounds) + 1)
        counts, bounds = series.counts, self._bounds
        first, last = bisect_left(bounds, min(values)), bisect_left(bounds, max(values))
        if first == last:
            counts[first] += len(values)
        else:
            for value in values:
                counts[bisect_left(bounds, value)] += 1
        series.total += sum(values)

    def family(self) -> Family:
        found = HistogramMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
        names = [*map(str, self._bounds), "+Inf"]
        for labels, series in self._series.items():
            found.add_metric(labels, list(zip(names, accumulate(series.counts), strict=True)), series.total)
        return found


class _Buckets:
    __slots__ = ("counts", "total")

    def __init__(self, count: int) -> None:
        self.counts = [0] * count
        self.total = 0.0


def gauge(metric: Metric, values: Iterable[tuple[Sequence[str], float]]) -> Family:
    """Return the family of a gauge from its values by labels."""
    found = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in values:
        found.add_metric(labels, value)
    return found
