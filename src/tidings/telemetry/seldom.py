"""What happens again and again, told now and then: a log that grows with each failure would be the next one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from tidings.ports import Clock

KINDS_MAX = 1_000

K = TypeVar("K", bound=Hashable)


class Seldom(Generic[K]):
    """Lets one of a kind be told every so many seconds, and counts those between."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._kinds: dict[K, tuple[float, int]] = {}

    def untold(self, kind: K) -> int | None:
        """Return how many of its kind were not told since the last that was; None if this one is not to be, either."""
        now = self._clock.monotonic()
        told_at, more = self._kinds.get(kind, (float("-inf"), 0))
        if now < told_at + self._seconds:
            self._kinds[kind] = told_at, more + 1
            return None
        if len(self._kinds) >= KINDS_MAX:
            self._kinds.clear()
        self._kinds[kind] = now, 0
        return more
