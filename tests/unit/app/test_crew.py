from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.unit.app.shop import eventually
from tests.unit.consumers.clock import HandClock
from tidings.app.crew import Crew
from tidings.consumers.consumer import Consumer
from tidings.errors import StoreUnavailableError
from tidings.ports import Ports
from tidings.views.declaration import ViewSpec


class NothingToCarry:
    """The part of `Carrying` that a crew asks, with nothing in it."""

    def __init__(self, pausing: dict[str, str] | None = None) -> None:
        self.pausing = pausing or {}

    async def consumers(self) -> dict[str, Consumer]:
        return {}

    async def changed(self) -> Sequence[ViewSpec]:
        return ()


class Failing:
    name = "failing"

    def __init__(self, times: int, error: BaseException | None = None) -> None:
        self.begun = 0
        self._times = times
        self._error = error or ValueError("not yet")

    async def run(self, stopping: asyncio.Event) -> None:
        self.begun += 1
        if self.begun <= self._times:
            raise self._error
        await stopping.wait()


class CancelsItself(Failing):
    async def run(self, stopping: asyncio.Event) -> None:
        self.begun += 1
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        if self.begun <= self._times:
            task.cancel()
        await stopping.wait()


class OwnError(BaseException):
    """An author's class that is no Exception."""


class Slow:
    name = "slow"

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.ended = ""

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            await stopping.wait()
            await self.let_go.wait()
            self.ended = "finished"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


def crew(*runners: Failing | Slow, ports: Ports | None = None) -> Crew:
    return Crew(NothingToCarry(), runners, ports or Ports())  # type: ignore[arg-type]


async def test_one_that_fails_is_named_and_begun_again() -> None:
    failing = Failing(times=1)
    tended = crew(failing)
    stopping = asyncio.Event()
    running = asyncio.create_task(tended.run(stopping))

    async def is_named() -> bool:
        return tended.failing.get("failing") == "ValueError: not yet"

    await eventually(is_named)

    async def is_begun_again() -> bool:
        return failing.begun == 2

    await eventually(is_begun_again)
    stopping.set()
    await running
    assert "failing" not in tended.failing


@pytest.mark.parametrize(
    "runner",
    [
        Failing(1, OwnError("x")),
        Failing(1, GeneratorExit()),
        Failing(1, SystemExit(3)),
        Failing(1, BaseExceptionGroup("g", [OwnError()])),
        Failing(1, asyncio.CancelledError()),
        CancelsItself(1),
    ],
    ids=lambda runner: f"{type(runner).__name__} {type(runner._error).__name__}",
)
async def test_one_that_ends_without_being_asked_is_named_logged_and_begun_again(
    runner: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    tended = crew(runner)
    stopping = asyncio.Event()
    running = asyncio.create_task(tended.run(stopping))

    async def is_named() -> bool:
        return "failing" in tended.failing

    await eventually(is_named)
    assert [record.message for record in caplog.records] == ["failing failed and is begun again in 1 s"]

    async def is_begun_again() -> bool:
        return runner.begun == 2

    await eventually(is_begun_again)
    assert "failing" in tended.failing
    stopping.set()
    await running
    assert tended.failing == {}


class Away(NothingToCarry):
    """What there is to carry cannot be told, as often as it is asked."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def consumers(self) -> dict[str, Consumer]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "level", "told"),
    [
        (
            StoreUnavailableError("the database starts"),
            "WARNING",
            "the database does not answer, and is asked again every 1 s: the database starts",
        ),
        (
            ValueError("wrong"),
            "ERROR",
            "which consumers there must be cannot be told; asked again every 1 s",
        ),
    ],
)
async def test_a_database_that_is_away_is_a_warning_and_what_nobody_foresaw_an_error(
    error: Exception, level: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    tended = Crew(Away(error), (), Ports())  # type: ignore[arg-type]
    stopping = asyncio.Event()
    running = asyncio.create_task(tended.run(stopping))

    async def is_named() -> bool:
        return "tables" in tended.failing

    await eventually(is_named)
    stopping.set()
    await running
    [record] = caplog.records
    assert (record.levelname, record.getMessage(), record.exc_info is None) == (level, told, level == "WARNING")


async def test_one_that_has_run_well_for_a_minute_is_not_failing_any_more() -> None:
    failing, clock = Failing(times=1), HandClock()
    tended = crew(failing, ports=Ports(clock=clock))
    stopping = asyncio.Event()
    running = asyncio.create_task(tended.run(stopping))

    async def is_begun_again() -> bool:
        return failing.begun == 2

    await eventually(is_begun_again)
    assert "failing" in tended.failing
    clock.move(61)

    async def is_well() -> bool:
        return not tended.failing

    await eventually(is_well)
    stopping.set()
    await running


async def test_cancelling_ends_each_and_none_is_begun_again() -> None:
    slow, failing = Slow(), Failing(times=0)
    running = asyncio.create_task(crew(slow, failing).run(asyncio.Event()))

    async def are_begun() -> bool:
        return failing.begun == 1

    await eventually(are_begun)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert (slow.ended, failing.begun) == ("cancelled", 1)


async def test_stopping_waits_for_what_is_under_way() -> None:
    slow = Slow()
    stopping = asyncio.Event()
    running = asyncio.create_task(crew(slow).run(stopping))
    await asyncio.sleep(0)
    stopping.set()
    await asyncio.sleep(0.02)
    assert not running.done()
    slow.let_go.set()
    await running
    assert slow.ended == "finished"


async def test_cancelling_while_it_stops_breaks_off_what_is_under_way() -> None:
    slow = Slow()
    stopping = asyncio.Event()
    running = asyncio.create_task(crew(slow).run(stopping))
    await asyncio.sleep(0)
    stopping.set()
    await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert slow.ended == "cancelled"
    assert running.cancelled()
