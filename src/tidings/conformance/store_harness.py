"""What a back end's test file hands to the store's suites: a fresh store, its clock, and what can happen to both."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tidings.log.driver import LogDriver
from tidings.store.driver import StoreDriver

START_US = 1_700_000_000_000_000


class StillClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self._now = START_US

    def now_us(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._now / 1_000_000

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Let this many seconds pass at once."""
        self._now += round(seconds * 1_000_000)


class StoreHarness(Protocol):
    """One store of its own for each test, empty at first. It takes the time from `clock`."""

    clock: StillClock

    async def open(self) -> StoreDriver:
        """Open the store."""

    def owner_that_is_gone(self) -> str:
        """Return the name of a process that has certainly ended."""

    def breakage(self) -> AbstractAsyncContextManager[None]:
        """While inside, nothing can be kept: connections are cut, the disk is full, whatever can happen here."""

    async def close(self) -> None:
        """Close everything that was opened, and remove the store."""


class StoreWithLogHarness(StoreHarness, Protocol):
    """A store that keeps its units in one transaction with the log."""

    async def log(self) -> LogDriver:
        """Return the log that the opened store appends to."""


class SharedStoreHarness(StoreHarness, Protocol):
    """A store that outlives its driver, and that several processes can open."""

    async def reopen(self) -> StoreDriver:
        """Open the store beside those that are open already, as another process would."""
