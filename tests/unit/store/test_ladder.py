from __future__ import annotations

import pytest

from tidings.store.ladder import SECONDS, TRIES, seconds_after


def test_ten_tries_take_three_days_and_some_hours() -> None:
    waits = [seconds_after(attempt, draw=0.5) for attempt in range(1, TRIES)]
    assert (TRIES, sum(SECONDS)) == (10, 75 * 3_600 + 35 * 60 + 5)
    assert waits == [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 240.0), (0.25, 270.0), (1.0, 360.0)])
def test_a_wait_is_a_fifth_shorter_or_longer_at_most(draw: float, seconds: float) -> None:
    assert seconds_after(2, draw=draw) == pytest.approx(seconds)


@pytest.mark.parametrize("attempt", [10, 11, 1_000])
def test_after_the_last_try_there_is_none(attempt: int) -> None:
    assert seconds_after(attempt, draw=0.5) is None
