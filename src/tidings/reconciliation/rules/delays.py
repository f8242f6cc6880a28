"""How long events took to come, counted by spans. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import msgspec

BOUNDS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 259200)
"""Where spans end, in seconds."""
RECENT = 10_000
"""Of so many, what came before counts by half: how long events took last year says little."""
SECOND = 1_000_000
GRACE_US = 60 * SECOND
"""How long an event may take at least before it is missed."""


class Delays(msgspec.Struct, frozen=True):
    """How many took how long: `counts` by `BOUNDS`, those beyond the last at the end; `total`: all of it, seconds."""

    counts: tuple[int, ...] = ()
    total: float = 0.0

    def more(self, micros: Iterable[int]) -> Delays:
        """Return them with these, µs."""
        counts, total = list(self.counts) or [0] * (len(BOUNDS) + 1), self.total
        for each in micros:
            seconds = max(0, each) / SECOND
            counts[bisect_left(BOUNDS, seconds)] += 1
            total += seconds
        return Delays(tuple(counts), total)

    def recent(self) -> Delays:
        """Return them with less of what came before, once there are many."""
        if sum(self.counts) < RECENT:
            return self
        return Delays(tuple(each // 2 for each in self.counts), self.total / 2)

    def p99(self) -> float | None:
        """Return within how many seconds 99 of 100 came: the end of a span; None: not known, or beyond the last."""
        left = sum(self.counts) * 0.99
        for bound, count in zip(BOUNDS, self.counts, strict=False):
            left -= count
            if left <= 0 < sum(self.counts):
                return bound
        return None


def grace_of(delays: Delays, *, horizon: int) -> int:
    """Return how long after a change its event may come before it is missed, µs: twice as long as nearly all of them
    take, a minute at least, and no longer than any comes. `horizon`: after it none does, µs."""
    usual = delays.p99()
    if usual is None:
        return horizon if sum(delays.counts) else GRACE_US
    return max(GRACE_US, min(2 * int(usual * SECOND), horizon))
