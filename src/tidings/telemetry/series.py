"""Numbers as they are counted: plain dictionaries, for one event loop, which cost a tenth of what locks would.

They become the library's families when somebody asks: see `tidings.telemetry.exposition`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from tidings.telemetry.table import Metric

Labels = tuple[str, ...]


class Counter:
    """Counts by labels, in the order of the metric's own."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[Labels, float] = {}

    def add(self, *labels: str, count: float = 1) -> None:
        self.values[labels] = self.values.get(labels, 0) + count


class Histogram:
    """Counts values by the bucket they fall into, for each set of labels."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._bounds = metric.buckets
        self.series: dict[Labels, Buckets] = {}
        if not metric.labels:
            self.series[()] = Buckets(len(self._bounds) + 1)

    def observe(self, values: Sequence[float], *labels: str) -> None:
        """Count the values, of which there is one at least. What comes together mostly falls into one bucket."""
        series = self.series.get(labels)
        if series is None:
            series = self.series[labels] = Buckets(len(self._bounds) + 1)
        counts, bounds = series.counts, self._bounds
        first, last = bisect_left(bounds, min(values)), bisect_left(bounds, max(values))
        if first == last:
            counts[first] += len(values)
        else:
            for value in values:
                counts[bisect_left(bounds, value)] += 1
        series.total += sum(values)

    def add(self, labels: Labels, counts: Sequence[int], total: float) -> None:
        """Add what was counted elsewhere, by the same bounds; nothing of it: there were none."""
        series = self.series.setdefault(labels, Buckets(len(self._bounds) + 1))
        for place, count in enumerate(counts):
            series.counts[place] += count
        series.total += total


class Buckets:
    """How many values are in each bucket, those beyond the last bound at the end, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self, count: int) -> None:
        self.counts = [0] * count
        self.total = 0.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """Values by labels, as they are now."""

    metric: Metric
    values: Sequence[tuple[Labels, float]]


Series = Counter | Histogram | Gauge
