from __future__ import annotations

import random

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tidings.telemetry.exposition import text
from tidings.telemetry.series import Counter, Gauge, Histogram, Series
from tidings.telemetry.table import FLUSH_WRITES, HANDLED, HANDLER_SECONDS, LOG_HEAD

RANDOM = random.Random(3)


def samples(series: Series) -> list[Sample]:
    shown = text_string_to_metric_families(text([series]).decode())
    return [sample for family in shown for sample in family.samples]


@pytest.mark.parametrize("most", [1.0, 20.0, 5_000.0])
def test_values_fall_into_the_same_buckets_together_and_one_by_one(most: float) -> None:
    values = [RANDOM.uniform(0, most) for _ in range(500)] + [*FLUSH_WRITES.buckets]
    together, singly = Histogram(FLUSH_WRITES), Histogram(FLUSH_WRITES)
    together.observe(values)
    for value in values:
        singly.observe([value])
    found = {sample.labels.get("le", sample.name): sample.value for sample in samples(together)}
    assert found == pytest.approx({sample.labels.get("le", sample.name): sample.value for sample in samples(singly)})
    for bound in FLUSH_WRITES.buckets:
        assert found[str(bound)] == sum(value <= bound for value in values)
    assert found["tidings_flush_writes_count"] == len(values)
    assert found["tidings_flush_writes_sum"] == pytest.approx(sum(values))


def test_a_histogram_without_labels_is_there_from_the_start_and_one_with_labels_when_it_has_values() -> None:
    assert {sample.value for sample in samples(Histogram(FLUSH_WRITES))} == {0}
    assert samples(Histogram(HANDLER_SECONDS)) == []


def test_counters_and_gauges_have_the_values_of_their_labels() -> None:
    counter = Counter(HANDLED)
    counter.add("shop", "check", "ok")
    counter.add("shop", "check", "ok", count=2)
    [sample] = samples(counter)
    assert (sample.name, sample.labels, sample.value) == (
        "tidings_handler_total",
        {"service": "shop", "handler": "check", "outcome": "ok"},
        3,
    )
    assert [sample.value for sample in samples(Gauge(LOG_HEAD, [((), 7)]))] == [7]
