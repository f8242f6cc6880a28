"""Hints between processes: a NOTIFY without payload after appends, and a connection that LISTENs. Both may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.database import Database
from tidings.backends.postgres.failures import DRIVER_ERRORS
from tidings.ports import Clock

CHANNEL = "tidings_log"
LISTENERS = 1953063945
"""Whoever listens holds this advisory lock, shared, for as long as its connection lasts: it is never a pooler's."""
APART = 0.01
"""Seconds between two notifications of one process: each takes a lock of the whole cluster when it is committed."""
LOOK_SECONDS = 1.0
"""How long it is believed whether anybody else listens. Who begins to listen polls often at first."""
CALL_SECONDS = 15.0
SILENCE_SECONDS = 30.0
"""Who listens calls itself now and then; a connection that brings back nothing for so long died unnoticed."""
AGAIN_SECONDS = 1.0
_NOTIFY = f"NOTIFY {CHANNEL}"
_LISTENING = f"SELECT pg_advisory_lock_shared({LISTENERS}, 1)"
# Who gets the lock alone knows that nobody listens, at a hundredth of what it costs to look through all locks.
_OTHERS = f"""
SELECT NOT pg_try_advisory_xact_lock({LISTENERS}, 1) AND EXISTS (
  SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid = {LISTENERS} AND objid = 1 AND objsubid = 2
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND mode = 'ShareLock' AND pid IS DISTINCT FROM $1::int)
"""


class Listener:
    """A connection of its own, on which this process hears of others' appends.

    `heard` is called with True when a hint came or the connection began to listen, with False when it is lost.
    """

    def __init__(self, database: Database, clock: Clock, heard: Callable[[bool], None]) -> None:
        self._database = database
        self._clock = clock
        self._heard = heard
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._last_heard = 0.0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The server's process that listens for this one; None while none does."""
        return None if self._connection is None else self._connection.get_server_pid()

    def begin(self) -> None:
        """Listen from now on, if nothing stands between; again is once."""
        if self._running is None and self._database.listens and not self._closed:
            self._running = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except DRIVER_ERRORS:
                pass
            finally:
                self._let_go()
                self._heard(False)
            await self._clock.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        self._ended.clear()
        self._connection = connection = await self._database.own_connection()
        connection.add_termination_listener(lambda _: self._ended.set())
        await connection.add_listener(CHANNEL, self._on_notice)
        await connection.execute(_LISTENING)
        self._on_notice()  # whatever came before is not told any more
        while self._clock.monotonic() - self._last_heard < SILENCE_SECONDS and not self._ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(CALL_SECONDS):
                    await self._ended.wait()
            await connection.execute(_NOTIFY)

    def _on_notice(self, *_: Any) -> None:
        self._last_heard = self._clock.monotonic()
        self._heard(True)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Stop listening; twice is once."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None


class Teller:
    """Hints all other processes that listen at the appends of this one, few times for many. `own`: who listens here.

    `has_to_tell`: false while it is believed that nobody listens; then an append costs nothing here.
    """

    def __init__(self, database: Database, clock: Clock, own: Listener) -> None:
        self._database = database
        self._clock = clock
        self._own = own
        self._is_untold = False
        self._is_heard = False
        self.has_to_tell = True
        self._believing: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None

    def tell(self) -> None:
        """Be told of an append that is committed."""
        self._is_untold = True
        if self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell(), context=Context())

    async def _tell(self) -> None:
        while self._is_untold:
            await self._notify()
            await self._clock.sleep(APART)
        self._telling = None

    async def _notify(self) -> None:
        self._is_untold = False
        with suppress(*DRIVER_ERRORS):
            async with self._database.connection() as connection:
                if self._believing is None:
                    self._is_heard = await connection.fetchval(_OTHERS, self._own.pid)
                    self.has_to_tell = self._is_heard
                    self._believing = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._doubt)
                if self._is_heard:
                    await connection.execute(_NOTIFY)

    def _doubt(self) -> None:
        self._believing = None
        self.has_to_tell = True

    async def close(self) -> None:
        """Tell what is not told yet; twice is once."""
        if self._telling is not None:
            await asyncio.wait([self._telling])
        if self._believing is not None:
            self._believing.cancel()
