"""Sides of a comparison, taken in turns: machines drift, and only what was measured side by side can be compared."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.figures import Figure
from benchmarks.machine import Disk

Side = Callable[[], Awaitable[float]]
"""Does its work once, and returns the seconds that count."""


@dataclass(slots=True)
class Turns:
    """The rates of one side, and the disk's flushes while it worked."""

    rates: list[float] = field(default_factory=list)
    flushes: int | None = 0


async def alternate(
    sides: Mapping[str, Side], disk: Disk, *, events: Mapping[str, int], rounds: int
) -> dict[str, Figure]:
    """Let each side work in turn, `rounds` times; return events per second by the side's name."""
    turns = {name: Turns() for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            gc.collect()
            before = disk.flushes()
            turns[name].rates.append(events[name] / await side())
            _count(turns[name], before, disk.flushes())
    return {name: _figure(name, taken, events[name] * rounds) for name, taken in turns.items()}


def _count(taken: Turns, before: int | None, after: int | None) -> None:
    taken.flushes = None if taken.flushes is None or before is None or after is None else taken.flushes + after - before


def _figure(name: str, taken: Turns, events: int) -> Figure:
    flushes = None if taken.flushes is None else taken.flushes / events
    return Figure(name=name, unit="events/s", rounds=taken.rates, flushes=flushes)


class Stopwatch:
    """Seconds of all its laps together, and of the longest one; and how many of them this process had a processor."""

    def __init__(self) -> None:
        self.total = 0.0
        self.longest = 0.0
        self.used = 0.0

    def __enter__(self) -> None:
        self._used_before = time.process_time()
        self._started = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        lap = time.perf_counter() - self._started
        self.used += time.process_time() - self._used_before
        self.total += lap
        self.longest = max(self.longest, lap)
