"""The connections of one process, lent out one by one, the last one given back first.

asyncpg's own pool gives a connection back in a task of its own, which costs as much as a small statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

import asyncpg

from tidings.backends.postgres.connection import CONNECT_SECONDS, Connection
from tidings.backends.postgres.failures import DRIVER_ERRORS

LOOK_SECONDS = 0.25
IDLE_SECONDS = 300.0
"""A connection that nobody wanted for so long is closed when another is given back."""


class Pool:
    """`most` connections, each opened by `connect` when one is wanted and none is idle."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], *, most: int) -> None:
        self._connect = connect
        self._room = _Room(most)
        self._loop = asyncio.get_running_loop()
        self._idle: list[tuple[float, Connection]] = []
        self._lent: dict[Connection, float] = {}
        self._watching: asyncio.TimerHandle | None = None
        self._is_watched = False
        self._given_back = asyncio.Event()
        self._is_closed = False

    def lent(self) -> Lent:
        """Lend a connection. InterfaceError if the pool is closed; TimeoutError if none comes free in time."""
        return Lent(self)

    def take_idle(self, seconds: float) -> Connection | None:
        """Take one that is idle, if nobody waits for one, for so many seconds at most; it is given back as others are.

        It may be closed. Who keeps it longer, by up to a quarter of a second, finds it hung up. One timer sees to that
        for all, since one for each statement costs half of what it takes to send it.
        """
        if not self._idle or self._is_closed or not self._room.taken():
            return None
        _, connection = self._idle.pop()
        self._lent[connection] = self._loop.time() + seconds
        self._is_watched = True
        if self._watching is None:
            self._watching = self._loop.call_later(LOOK_SECONDS, self._hang_up)
        return connection

    def _hang_up(self) -> None:
        now = self._loop.time()
        for connection, until in self._lent.items():
            if until <= now:
                connection.terminate()
        self._watching = self._loop.call_later(LOOK_SECONDS, self._hang_up) if self._is_watched else None
        self._is_watched = any(until < inf for until in self._lent.values())

    async def take(self) -> Connection:
        if self._room.locked():
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._room.acquire()
        else:
            await self._room.acquire()
        try:
            connection = await self._taken()
        except BaseException:
            self._room.release()
            raise
        self._lent[connection] = inf
        return connection

    async def _taken(self) -> Connection:
        while self._idle and not self._is_closed:
            _, connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        if not self._is_closed:
            connection = await self._connect()
            if not self._is_closed:
                return connection
            connection.terminate()
        raise asyncpg.InterfaceError("pool is closed")

    def give_back(self, connection: Connection) -> None:
        del self._lent[connection]
        self._room.left()
        if self._is_closed:
            self._given_back.set()
        if connection.is_closed():
            return
        if self._is_closed or connection.is_in_transaction():
            connection.terminate()  # whatever it stood in is rolled back
            return
        now = self._loop.time()
        self._idle.append((now, connection))
        if self._idle[0][0] < now - IDLE_SECONDS:
            self._idle.pop(0)[1].terminate()

    async def close(self, *, within: float) -> None:
        """Wait so many seconds for what is lent, then close everything; at once where who waits is cancelled."""
        self._is_closed = True
        idle = [connection for _, connection in self._idle]
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._wait_for_all()
            for connection in idle:
                with suppress(*DRIVER_ERRORS):
                    await connection.close(timeout=within)
        finally:
            for connection in (*self._lent, *idle):
                connection.terminate()
            if self._watching is not None:
                self._watching.cancel()
            self._idle.clear()

    async def _wait_for_all(self) -> None:
        while self._lent:
            self._given_back.clear()
            await self._given_back.wait()


class _Room(asyncio.Semaphore):
    def taken(self) -> bool:
        """Take a place if one is free and nobody waits, without an `await`; say whether one was."""
        if self._value <= 0 or self._waiters:
            return False
        self._value -= 1
        return True

    def left(self) -> None:
        """Do what `release` does, in a call less where nobody waits."""
        if self._waiters:
            self.release()
        else:
            self._value += 1


class Lent:
    """A connection that is given back on leaving. A generator would take three times as long."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(self, *error: object) -> None:
        self._pool.give_back(self._connection)
