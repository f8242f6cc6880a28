"""When the upkeep of the runs is done: a step for every so many new keys, and all that is left once it is quiet."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from contextvars import Context

from tidings.backends.sqlite.database import Database, is_transient
from tidings.backends.sqlite.seen import Seen
from tidings.backends.sqlite.seen_run import Sizes
from tidings.backends.sqlite.seen_upkeep import Upkeep
from tidings.ports import Clock

QUIET = 0.05


class Pace:
    """One task at most. Each step is a job between flushes and units, which wait for no more than that one step."""

    def __init__(self, database: Database, seen: Seen, upkeep: Upkeep, *, sizes: Sizes, clock: Clock) -> None:
        self._database = database
        self._seen = seen
        self._upkeep = upkeep
        self._sizes = sizes
        self._clock = clock
        self._settled = 0
        self._unfinished = True  # whoever had the file before may have left something to do
        self._task: asyncio.Task[None] | None = None

    def appended(self) -> None:
        """Begin if there is something to do. To be called, on the event loop, after each commit."""
        if self._task is None and not self._database.closed and self._has_work:
            self._task = asyncio.get_running_loop().create_task(self._work(), context=Context())

    @property
    def _has_work(self) -> bool:
        return self._unfinished or self._seen.hot_entries >= self._sizes.hot

    async def _work(self) -> None:
        try:
            while self._has_work:
                await self._due()
                self._unfinished = await self._database.job(self._upkeep.step, lazily=True)
        except sqlite3.Error as error:
            if not is_transient(error):
                raise
        finally:
            self._task = None

    async def _due(self) -> None:
        """Come back when enough keys were added since the last step, or none for a while."""
        while self._seen.added - self._settled < self._sizes.pace:
            before = self._seen.added
            await self._clock.sleep(QUIET)
            if self._seen.added == before:
                self._settled = before
                return
        self._settled += self._sizes.pace

    async def close(self) -> None:
        """Stop after the step under way; twice is once."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
