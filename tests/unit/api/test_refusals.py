from __future__ import annotations

import pytest

from tidings.api.problems import Problem, Refusal
from tidings.api.refusals import ROW_SECONDS, Refusals
from tidings.errors import LogUnavailableError
from tidings.ports import SystemClock


class HandClock(SystemClock):
    now = 5.0

    def monotonic(self) -> float:
        return self.now


def test_a_row_of_refusals_is_one_line_and_the_next_line_counts_it(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    refusals, full = Refusals(clock), Refusal(Problem.OVERLOADED, "all is full")
    for _ in range(1_000):
        refusals.tell(full, instance="/events")
    refusals.tell(LogUnavailableError("gone"), instance="/views")
    clock.now += ROW_SECONDS
    refusals.tell(full, instance="/events")
    assert caplog.messages == [
        "a request to '/events' was refused: Refusal: all is full",
        "a request to '/views' was refused: LogUnavailableError: gone",
        "a request to '/events' was refused: Refusal: all is full; so were 999 others since the last line",
    ]


def test_what_is_the_callers_own_fault_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    Refusals(HandClock()).tell(Refusal(Problem.RATE_LIMITED, "too many"), instance="/events")
    assert caplog.messages == []
