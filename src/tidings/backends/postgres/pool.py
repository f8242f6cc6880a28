"""The connections of one process, lent out one by one, the last one given back first.

asyncpg's own pool gives a connection back in a task of its own, which costs as much as a small statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from tidings.backends.postgres.connection import CONNECT_SECONDS, Connection
from tidings.backends.postgres.failures import DRIVER_ERRORS

IDLE_SECONDS = 300.0
"""A connection that nobody wanted for so long is closed when another is given back."""


class Pool:
    """`most` connections, each opened by `connect` when one is wanted and none is idle."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], *, most: int) -> None:
        self._connect = connect
        self._room = _Room(most)
        self._idle: list[tuple[float, Connection]] = []
        self._lent: set[Connection] = set()
        self._given_back = asyncio.Event()
        self._is_closed = False

    def lent(self) -> Lent:
        """Lend a connection. InterfaceError if the pool is closed; TimeoutError if none comes free in time."""
        return Lent(self)

    def take_idle(self) -> Connection | None:
        """Take one that is idle, if nobody waits for one; it is given back as others are."""
        while self._idle and not self._is_closed and self._room.taken():
            _, connection = self._idle.pop()
            if not connection.is_closed():
                self._lent.add(connection)
                return connection
            self._room.release()
        return None

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
        self._lent.add(connection)
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
        self._lent.discard(connection)
        self._room.release()
        if self._is_closed:
            self._given_back.set()
        if connection.is_closed():
            return
        if self._is_closed or connection.is_in_transaction():
            connection.terminate()  # whatever it stood in is rolled back
            return
        now = asyncio.get_running_loop().time()
        self._idle.append((now, connection))
        if self._idle[0][0] < now - IDLE_SECONDS:
            self._idle.pop(0)[1].terminate()

    async def close(self, *, within: float) -> None:
        """Wait so many seconds for what is lent, then close everything."""
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._lent:
                    self._given_back.clear()
                    await self._given_back.wait()
        for connection in self._lent:
            connection.terminate()
        idle, self._idle = self._idle, []
        for _, connection in idle:
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=within)


class _Room(asyncio.Semaphore):
    def taken(self) -> bool:
        """Take a place if one is free and nobody waits, without an `await`; say whether one was."""
        if self._value <= 0 or self._waiters:
            return False
        self._value -= 1
        return True


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
