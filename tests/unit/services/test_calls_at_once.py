"""So many calls are under way at once and no more, and as one ends the next one begins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.unit.services.test_deliverer import Desk, desk
from tidings import Delivery
from tidings.store.deliveries import ClaimedDelivery


class Callee:
    """Answers a call when it is told to, and notes which have come."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._came = asyncio.Semaphore(0)
        self._answers: dict[str, asyncio.Event] = {}

    async def tell(self, payload: Any, delivery: Delivery) -> None:
        key = delivery.idempotency_key
        self.begun.append(key)
        self._came.release()
        await self._answers.setdefault(key, asyncio.Event()).wait()

    def answer(self, *keys: str) -> None:
        for key in keys:
            self._answers.setdefault(key, asyncio.Event()).set()

    async def came(self, count: int) -> None:
        """Wait until so many more calls have come."""
        for _ in range(count):
            await self._came.acquire()


async def looked(at: Desk) -> None:
    """Have the deliverer look for what is due, a few times over."""
    for _ in range(5):
        at.pass_time(1)
        await at.states()


KEYS = [f"k{n:02}" for n in range(20)]


async def test_sixteen_calls_are_under_way_and_the_seventeenth_comes_when_one_ends() -> None:
    callee = Callee()
    async with desk(callee.tell) as at:
        await at.intend(*KEYS)
        await callee.came(16)
        await looked(at)
        assert callee.begun == KEYS[:16]
        callee.answer("k05")
        await callee.came(1)
        await looked(at)
        assert callee.begun == KEYS[:17]
        callee.answer("k00", "k16")
        await callee.came(2)
        await looked(at)
        assert callee.begun == KEYS[:19]
        callee.answer(*KEYS)
        await at.results(20)
        assert set((await at.states()).values()) == {"delivered"}


async def test_without_room_for_a_call_the_store_is_not_asked_for_any() -> None:
    callee, limits = Callee(), []
    async with desk(callee.tell) as at:
        claim = at.at.store.claim_deliveries

        async def noted(*, limit: int, **more: Any) -> Sequence[ClaimedDelivery]:
            limits.append(limit)
            return await claim(limit=limit, **more)

        at.at.store.claim_deliveries = noted  # type: ignore[method-assign]
        await at.intend(*KEYS)
        await callee.came(16)
        await looked(at)
        assert set(limits) == {16}
        callee.answer("k00")
        await callee.came(1)
        await looked(at)
        assert set(limits) == {16, 1}
        callee.answer(*KEYS)
        await at.results(20)
