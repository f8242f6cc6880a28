from __future__ import annotations

import asyncio

START_US = 1_700_000_000_000_000


class HandClock:
    """A clock that stands until it is moved. Who sleeps is woken when the time has come."""

    def __init__(self) -> None:
        self._now = START_US
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now_us(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._now / 1_000_000

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + round(seconds * 1_000_000), future))
        await future

    @property
    def sleepers(self) -> int:
        """How many sleep now."""
        return sum(not future.done() for _, future in self._sleepers)

    def move(self, seconds: float) -> None:
        """Let this many seconds pass at once."""
        self._now += round(seconds * 1_000_000)
        for until, future in self._sleepers:
            if until <= self._now and not future.done():
                future.set_result(None)
        self._sleepers = [(until, future) for until, future in self._sleepers if not future.done()]
