from __future__ import annotations

import asyncio


class StepClock:
    """A clock that stands still. Sleeping moves it on at once, and is noted."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def now_us(self) -> int:
        return int(self.now * 1_000_000)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
