"""How far a lag is counted, by the number that is promised, whatever the code calls it."""

from __future__ import annotations

import pytest

from tests.unit.operations.stage import SERVICES, RateSet, Stage
from tidings.events.codec import encode_json
from tidings.events.declaration import declared
from tidings.events.envelope import Envelope
from tidings.operations.lag import lag


@pytest.mark.parametrize(
    ("count", "told"), [(9_999, (9_999, False)), (10_000, (10_000, False)), (10_001, (10_000, True))]
)
async def test_a_lag_is_exact_up_to_ten_thousand_entries(stage: Stage, count: int, told: tuple[int, bool]) -> None:
    rate = RateSet(1)
    known, data = declared(rate), encode_json(rate)
    said = [Envelope(id=str(n), source="/shop", type=known.type, subject="s", data=data) for n in range(count)]
    for start in range(0, count, 1_000):
        await stage.log.append(said[start : start + 1_000])
    [rates] = [each for each in await lag(stage.log, stage.store, stage.clock, SERVICES) if each.name == "rates"]
    assert (rates.entries, rates.at_least) == told
