from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.unit.app.shop import eventually
from tidings.app.crew import Crew
from tidings.consumers.consumer import Consumer
from tidings.ports import Ports
from tidings.views.declaration import ViewSpec


class NothingToCarry:
    """The part of `Carrying` that a crew asks, with nothing in it."""

    async def consumers(self) -> dict[str, Consumer]:
        return {}

    async def changed(self) -> Sequence[ViewSpec]:
        return ()


class Failing:
    name = "failing"

    def __init__(self, times: int) -> None:
        self.begun = 0
        self._times = times

    async def run(self, stopping: asyncio.Event) -> None:
        self.begun += 1
        if self.begun <= self._times:
            raise ValueError("not yet")
        await stopping.wait()


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


def crew(*runners: Failing | Slow) -> Crew:
    return Crew(NothingToCarry(), runners, Ports())  # type: ignore[arg-type]


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
