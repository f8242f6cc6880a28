from __future__ import annotations

import asyncio

import pytest
from tests.unit.api.scopes import scope

from tidings.api.waiting import Waiting


class Hands:
    """A clock that a pause moves on."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now_us(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


async def never() -> bool:
    return False


@pytest.mark.parametrize(("prefer", "pauses"), [("wait=3", [3.0, 2.0, 1.0]), ("wait=0", []), ("return=minimal", [])])
async def test_a_request_waits_as_long_as_it_prefers_and_no_longer(prefer: str, pauses: list[float]) -> None:
    hands, lefts = Hands(), []
    patience = Waiting(hands).patience(scope(headers={"prefer": prefer}))

    async def pause(left: float) -> None:
        lefts.append(left)
        await hands.sleep(1)

    assert not await patience.until(never, pause=pause)
    assert lefts == pauses


async def test_what_is_there_already_is_not_waited_for() -> None:
    async def there() -> bool:
        return True

    async def pause(_: float) -> None:
        raise AssertionError("it waits")

    assert await Waiting(Hands()).patience(scope()).until(there, pause=pause)


async def test_what_goes_wrong_in_a_pause_is_told() -> None:
    async def pause(_: float) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await Waiting(Hands()).patience(scope(headers={"prefer": "wait=1"})).until(never, pause=pause)


async def test_a_stop_ends_the_wait_that_is_on_its_way_and_those_to_come() -> None:
    waiting, cancelled = Waiting(Hands()), asyncio.Event()

    async def pause(_: float) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    patience = waiting.patience(scope(headers={"prefer": "wait=30"}))
    waits = asyncio.create_task(patience.until(never, pause=pause))
    await asyncio.wait([waits], timeout=0.01)
    waiting.stop()
    assert not await waits
    await cancelled.wait()
    assert not await waiting.patience(scope(headers={"prefer": "wait=30"})).until(never, pause=pause)


def test_the_preference_is_said_to_be_heeded_only_if_there_was_one() -> None:
    waiting = Waiting(Hands())
    assert waiting.patience(scope(headers={"prefer": "wait=99"})).headers == ((b"preference-applied", b"wait=30"),)
    assert waiting.patience(scope()).headers == ()
