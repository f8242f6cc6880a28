"""What the outside world gives: time, sleep, randomness, ids, crash points.

Nothing else in tidings reads a clock or draws a number. Tests and the simulation pass their own
`Ports`, which is how they run without waiting and replay a seed.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now_us(self) -> int:
        """Return the wall clock in microseconds since 1970-01-01T00:00:00Z."""

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back; only differences mean anything.

        It goes on while the machine is suspended, where the system has such a clock, as Linux does.
        """

    async def sleep(self, seconds: float) -> None:
        """Come back after this many seconds."""


_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        # A call that a suspended machine slept through took as long as it slept: who dates what it read must know.
        return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Points(Protocol):
    """Named places at which a test may kill, stop or fail the process."""

    def at(self, name: str) -> None:
        """Be told that the code stands at the point `name`, a kebab-case name such as `append:after-insert`."""


class NoPoints:
    """What production runs: passing a point does nothing."""

    def at(self, name: str) -> None:
        return None


class Observer(Protocol):
    """Is told what is counted, where no seam shows it."""

    def refolded(self, view: str, rows: int) -> None:
        """Be told that so many rows of `service.view` were folded again from their history."""

    def relayed(self, seconds: float) -> None:
        """Be told how long it took the relay to take a page out of the outbox and to append it, commits included."""

    def contended(self, consumer: str) -> None:
        """Be told that a unit of the consumer is done again, since it and another one met: see `ContendedError`."""

    def sent(self, endpoint: str, outcome: str, count: int) -> None:
        """Be told what became of so many attempts to deliver to an endpoint: delivered, retry, dead, held, expired or
        cancelled."""

    def unreadable(self, consumer: str) -> None:
        """Be told that the consumer stopped, or left a subject, before an entry of a version that it cannot read."""

    def listed(self, scope: str, outcome: str) -> None:
        """Be told what became of a page of a provider's list: taken, doubted, failed."""

    def reconciled(self, scope: str, mode: str, seconds: float) -> None:
        """Be told how long a run took that has ended."""

    def breached(self, scope: str, fact: str) -> None:
        """Be told of a fact that a provider did not keep."""


class NoObserver:
    """Counts nothing."""

    def refolded(self, view: str, rows: int) -> None:
        return None

    def relayed(self, seconds: float) -> None:
        return None

    def contended(self, consumer: str) -> None:
        return None

    def sent(self, endpoint: str, outcome: str, count: int) -> None:
        return None

    def unreadable(self, consumer: str) -> None:
        return None

    def listed(self, scope: str, outcome: str) -> None:
        return None

    def reconciled(self, scope: str, mode: str, seconds: float) -> None:
        return None

    def breached(self, scope: str, fact: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Ports:
    """One bundle of everything that is not a pure function of its input."""

    clock: Clock = field(default_factory=SystemClock)
    random: random.Random = field(default_factory=random.SystemRandom)
    points: Points = field(default_factory=NoPoints)
    observer: Observer = field(default_factory=NoObserver)


def utc(microseconds: int) -> datetime:
    """Return the UTC time that stands this many microseconds after 1970-01-01T00:00:00Z."""
    return datetime.fromtimestamp(microseconds // 1_000_000, tz=UTC).replace(microsecond=microseconds % 1_000_000)


def this_process() -> str:
    """Name this process as no other, before or after it on this machine, is named: boot, pid, start."""
    return f"{_boot_id()}:{os.getpid()}:{_start_of(os.getpid())}"


def is_gone(owner: str) -> bool:
    """Say whether `owner`, a name from `this_process`, is certainly dead: same machine and boot, no such process."""
    boot, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    if not pid.isdigit() or not start:
        return False
    if boot != _boot_id():
        return False  # another machine, or this one before a restart: only the lease's time can tell
    found = _start_of(int(pid))
    return found != start


def _boot_id() -> str:
    """Name what numbers processes: this start of the machine, and within it the container."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            # Two containers of one machine number their processes each for itself.
            return f"{file.read().strip()}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return "unknown-boot"


def _start_of(pid: int) -> str:
    """Return when the process started, in clock ticks after boot; "gone" if there is none, "?" if nobody can tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return "gone" if os.path.isdir("/proc/self") else "?"
    except OSError:
        return "?"
