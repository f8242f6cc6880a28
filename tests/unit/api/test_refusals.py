from __future__ import annotations

import pytest
from tests.unit.telemetry.test_seldom import HandClock

from tidings.api.problems import Problem, Refusal
from tidings.api.refusals import ROW_SECONDS, Refusals
from tidings.errors import LogUnavailableError
from tidings.telemetry.failures import PLACE_SECONDS


async def test_a_row_of_refusals_is_one_line_and_one_for_the_others(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    refusals, full = Refusals(clock), Refusal(Problem.OVERLOADED, "all is full")
    for _ in range(1_000):
        refusals.tell(full, instance="/events")
    refusals.tell(LogUnavailableError("gone"), instance="/views")
    await clock.move(ROW_SECONDS)
    assert caplog.messages == [
        "a request to '/events' was refused: Refusal: all is full",
        "a request to '/views' was refused: LogUnavailableError: gone",
        "999 more requests were refused: overloaded",
    ]


async def test_streams_that_end_before_their_time_are_a_row_too(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    refusals = Refusals(clock)
    for n in range(50):
        refusals.tell_of_stream(LogUnavailableError("gone"))
        refusals.tell_of_stream(failure(f"{n}"))
    await clock.move(ROW_SECONDS)
    assert caplog.messages[:2] == ["a stream ended before its time: LogUnavailableError: gone", "a stream failed"]
    assert "49 more streams ended before their time: LogUnavailableError" in caplog.messages
    assert [text.split(":")[0] for text in caplog.messages].count("49 more failed at the same place") == 1
    assert len(caplog.messages) == 4


def failure(message: str, *, elsewhere: bool = False) -> Exception:
    try:
        if elsewhere:
            raise KeyError(message)
        raise KeyError(message)
    except KeyError as error:
        return error


async def test_a_failure_is_told_whole_once_a_second_for_each_place(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    refusals = Refusals(clock)
    for n in range(1_000):
        refusals.tell(failure(f"{n}"), instance=f"/events/web/{n}")
    refusals.tell(failure("x", elsewhere=True), instance="/views")
    await clock.move(PLACE_SECONDS)
    refusals.tell(failure("last"), instance="/events/web/last")
    first, other, rest = caplog.records
    assert (first.message, other.message) == ("a request to '/events/web/0' failed", "a request to '/views' failed")
    assert first.exc_info
    assert other.exc_info
    assert rest.message.startswith("999 more failed at the same place: KeyError (")


def test_what_is_the_callers_own_fault_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    Refusals(HandClock()).tell(Refusal(Problem.RATE_LIMITED, "too many"), instance="/events")
    assert caplog.messages == []


def test_what_fails_for_good_and_is_explained_is_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    Refusals(HandClock()).tell(Refusal(Problem.INTERNAL, "the fold fails"), instance="/views")
    assert caplog.messages == []
