from __future__ import annotations

import pytest

from tidings.api.problems import Problem, Refusal
from tidings.api.refusals import ROW_SECONDS, Refusals
from tidings.errors import LogUnavailableError
from tidings.ports import SystemClock
from tidings.telemetry.failures import PLACE_SECONDS
from tidings.telemetry.seldom import KINDS_MAX, Seldom


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


def failure(message: str, *, elsewhere: bool = False) -> Exception:
    try:
        if elsewhere:
            raise KeyError(message)
        raise KeyError(message)
    except KeyError as error:
        return error


def test_a_failure_is_told_whole_once_a_second_for_each_place_with_how_many_more_there_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = HandClock()
    refusals = Refusals(clock)
    for n in range(1_000):
        refusals.tell(failure(f"{n}"), instance=f"/events/web/{n}")
    refusals.tell(failure("x", elsewhere=True), instance="/views")
    clock.now += PLACE_SECONDS
    refusals.tell(failure("last"), instance="/events/web/last")
    assert caplog.messages == [
        "a request to '/events/web/0' failed",
        "a request to '/views' failed",
        "a request to '/events/web/last' failed (so did 999 others since the last line, at the same place)",
    ]
    assert all(record.exc_info for record in caplog.records)


def test_failures_at_very_many_places_take_bounded_memory(caplog: pytest.LogCaptureFixture) -> None:
    seldom = Seldom[int](HandClock(), 1)
    assert [seldom.untold(n) for n in range(3 * KINDS_MAX)] == [0] * 3 * KINDS_MAX
    assert len(seldom._kinds) <= KINDS_MAX


def test_what_is_the_callers_own_fault_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    Refusals(HandClock()).tell(Refusal(Problem.RATE_LIMITED, "too many"), instance="/events")
    assert caplog.messages == []


def test_what_fails_for_good_and_is_explained_is_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    Refusals(HandClock()).tell(Refusal(Problem.INTERNAL, "the fold fails"), instance="/views")
    assert caplog.messages == []
