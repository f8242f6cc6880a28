"""Dispatchers, killed at random moments. `python -m tests.crash.sending_kills` does the same for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.sending_kills import run
from tests.scale import SCALE

KILLS = 5


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
async def test_a_dispatcher_that_is_killed_at_random_loses_no_delivery_and_repeats_only_under_the_same_id(
    place: Path,
) -> None:
    counts = await run(place, kills=KILLS * SCALE, seed=1)
    print(counts)
    assert counts.deliveries == 3 * counts.events
