"""What happens again and again, told now and then: a log that grows with each failure would be the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextvars import Context
from typing import Generic, TypeVar

from tidings.ports import Clock

KINDS_MAX = 1_000

K = TypeVar("K", bound=Hashable)


class Seldom(Generic[K]):
    """Lets one of a kind be told every so many seconds, and counts those between.

    `on_rest` is told how many of a kind there were that nobody was told of: when the seconds are over, or the loop
    ends. To be used in a running event loop.
    """

    def __init__(self, clock: Clock, seconds: float, on_rest: Callable[[K, int], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._on_rest = on_rest
        self._kinds: dict[K, tuple[float, int]] = {}
        self._telling: asyncio.Task[None] | None = None

    def is_due(self, kind: K) -> bool:
        """Say whether this one is to be told; if it is not, it is counted."""
        now = self._clock.monotonic()
        told_at, more = self._kinds.get(kind, (float("-inf"), 0))
        if now < told_at + self._seconds:
            self._kinds[kind] = told_at, more + 1
            self._tell_later()
            return False
        self._tell(before=now)
        if len(self._kinds) >= KINDS_MAX:
            self._tell()
            self._kinds.clear()
        self._kinds[kind] = now, 0
        return True

    def _tell_later(self) -> None:
        if self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell_in_time(), context=Context())

    async def _tell_in_time(self) -> None:
        try:
            while any(more for _, more in self._kinds.values()):
                await self._clock.sleep(self._seconds)
                self._tell(before=self._clock.monotonic())
        finally:
            self._telling = None
            self._tell()

    def _tell(self, *, before: float = float("inf")) -> None:
        """Tell what is counted of the kinds whose seconds are over at this time."""
        now = self._clock.monotonic()
        for kind, (told_at, more) in list(self._kinds.items()):
            if more and told_at + self._seconds <= before:
                self._kinds[kind] = now, 0
                self._on_rest(kind, more)
