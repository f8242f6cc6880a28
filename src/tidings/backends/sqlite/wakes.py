"""Waking who waits for the log: at once for this process's appends, by looking now and then for another's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress

from tidings.ports import Clock

SOONEST = 0.001
LATEST = 0.05


class Wakes:
    """Those who wait. `look` opens a connection that nobody else uses; None where no other process can write."""

    def __init__(self, clock: Clock, look: Callable[[], sqlite3.Connection] | None) -> None:
        self._clock = clock
        self._open = look
        self._connection: sqlite3.Connection | None = None
        self._before = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self.closed = False

    def wake(self) -> None:
        """Let everyone look."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def expect(self) -> asyncio.Future[None]:
        """Return what ends at the next wake-up from now on; to be given back to `forget`."""
        if self._open is not None and self._looking is None:
            # What it compares with is read before anyone looks for entries: none can come between and stay unnoticed.
            connection = self._connected(self._open)
            self._before = _head(connection)
            self._looking = asyncio.get_running_loop().create_task(self._look_on(connection))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        return future

    def forget(self, future: asyncio.Future[None]) -> None:
        self._waiting.discard(future)
        future.cancel()

    def _connected(self, connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect()
        return self._connection

    async def _look_on(self, connection: sqlite3.Connection) -> None:
        pause = SOONEST
        while self._waiting:
            await self._clock.sleep(pause)
            now = _head(connection)
            if now != self._before:
                self._before, pause = now, SOONEST
                self.wake()
            else:
                pause = min(pause * 2, LATEST)
        self._looking = None

    async def close(self) -> None:
        """Let everyone go; twice is once."""
        self.closed = True
        self.wake()
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
            self._looking = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _head(connection: sqlite3.Connection) -> int:
    with suppress(sqlite3.Error):
        position: int = connection.execute("SELECT pos FROM tidings_head").fetchone()[0]
        return position
    return -1
