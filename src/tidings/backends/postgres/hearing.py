"""Hints between processes: a NOTIFY without payload after appends, and a connection that LISTENs. Both may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg

from tidings.backends.postgres.database import Connection, Database
from tidings.ports import Clock

CHANNEL = "tidings_log"
APART = 0.01
"""Seconds between two notifications of one process: each takes a lock of the whole cluster when it is committed."""
CALL_SECONDS = 15.0
SILENCE_SECONDS = 30.0
"""Who listens calls itself now and then; a connection that brings back nothing for so long died unnoticed."""
AGAIN_SECONDS = 1.0
_NOTIFY = f"NOTIFY {CHANNEL}"
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class Hearing:
    """One connection of its own, opened at the first use, on which this process listens and is heard.

    `heard` is called with True when a hint came or the connection began to listen, with False when it is lost.
    """

    def __init__(self, database: Database, clock: Clock, heard: Callable[[bool], None]) -> None:
        self._database = database
        self._clock = clock
        self._heard = heard
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self._told = asyncio.Event()
        self._last_heard = 0.0
        self._closed = False

    def begin(self) -> None:
        """Listen from now on; again is once."""
        if self._running is None and not self._closed:
            self._running = asyncio.get_running_loop().create_task(self._run())

    def tell(self) -> None:
        """Have all processes be hinted at an append that is committed."""
        self.begin()
        self._told.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._stay_connected()
            except _LOST:
                pass
            finally:
                self._let_go()
                self._heard(False)
            await self._clock.sleep(AGAIN_SECONDS)

    async def _stay_connected(self) -> None:
        self._connection = connection = await self._database.own_connection()
        connection.add_termination_listener(lambda _: self._told.set())
        if self._database.listens:
            await connection.add_listener(CHANNEL, self._on_notice)
            self._on_notice()  # whatever came before is not told any more
        while self._clock.monotonic() - self._last_heard < SILENCE_SECONDS or not self._database.listens:
            with suppress(TimeoutError):
                async with asyncio.timeout(CALL_SECONDS):
                    await self._told.wait()
            self._told.clear()
            await connection.execute(_NOTIFY)
            await self._clock.sleep(APART)

    def _on_notice(self, *_: Any) -> None:
        self._last_heard = self._clock.monotonic()
        self._heard(True)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Stop listening, and tell what is not told yet; twice is once."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None
        if self._told.is_set() and not self._database.closed:
            self._told.clear()
            with suppress(*_LOST):
                async with self._database.connection() as connection:
                    await connection.execute(_NOTIFY)
