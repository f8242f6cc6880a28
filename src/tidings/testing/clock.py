"""A clock that stands until a test moves it."""

from __future__ import annotations

import asyncio

NOON_US = 1_767_268_800_000_000
"""2026-01-01T12:00:00Z, when every scenario begins."""


class StandingClock:
    """Time passes by `move` alone. Whoever sleeps comes back when it was moved far enough, and nothing really waits."""

    def __init__(self) -> None:
        self._now = NOON_US
        self._moved = asyncio.Event()

    def now_us(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return (self._now - NOON_US) / 1_000_000

    async def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while self.monotonic() < until:
            await self._moved.wait()

    def move(self, to_us: int) -> None:
        """Let it be this time, in microseconds since 1970; an earlier one changes nothing."""
        self._now = max(self._now, to_us)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
