"""What a back end's test file hands to the suites: a fresh log, and what can happen to it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tidings.log.driver import LogDriver


class LogHarness(Protocol):
    """One log of its own for each test, empty at first.

    `scale`: 1, or how many times longer the random histories are to be.
    """

    scale: int

    async def open(self) -> LogDriver:
        """Open the log, or once more what is behind it."""

    def breakage(self) -> AbstractAsyncContextManager[None]:
        """While inside, nothing can be kept: connections are cut, the disk is full, whatever can happen here."""

    async def close(self) -> None:
        """Close every driver that was opened, and remove the log."""


class SharedLogHarness(LogHarness, Protocol):
    """A log that outlives its driver, and that several processes can open."""

    async def reopen(self) -> LogDriver:
        """Open the log beside the drivers that are open already, as another process would."""
