"""Writes down up to where one process has proved the log final, so that no other one has to prove it again.

At or below `safe_pos` every hole stays a hole. It may be far behind, and is never ahead.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context

from tidings.backends.postgres.database import Database
from tidings.backends.postgres.failures import DRIVER_ERRORS
from tidings.log.driver import Position

APART_SECONDS = 0.2
"""It is written five times a second at most, and only while the log moves on."""

# Its commit is flushed by the next one: what a crash takes of it is proved again.
_RAISE = """
UPDATE tidings.head SET safe_pos = $1 WHERE safe_pos < $1 AND set_config('synchronous_commit', 'off', true) = 'off'
"""


class Safe:
    """Writes it for one process. Others do the same; the highest stays."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._proved: Position = 0
        self._written: Position = 0
        self._closing = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def proved(self, final: Position) -> None:
        """Be told that everything at or below this position is final."""
        self._proved = max(self._proved, final)
        if self._proved > self._written and self._writing is None and not self._closing.is_set():
            self._writing = asyncio.get_running_loop().create_task(self._write(), context=Context())

    async def _write(self) -> None:
        while self._proved > self._written:
            self._written = self._proved
            # What fails is made up for by the next one.
            with suppress(*DRIVER_ERRORS):
                async with self._database.connection() as connection:
                    await connection.execute(_RAISE, self._written)
            with suppress(TimeoutError):
                async with asyncio.timeout(APART_SECONDS):
                    await self._closing.wait()
        self._writing = None

    async def close(self) -> None:
        """Write at once what is not written yet, and then no more; twice is once."""
        self._closing.set()
        if self._writing is not None:
            await asyncio.wait([self._writing])
