"""When the upkeep of the runs is done: a step for every so many new keys, and all that is left once it is quiet.

All steps that are due are done at once. One at a time would let whoever appends in turn with it bring more keys than a
step is for, so that runs gather, and every new key has to be looked for in all of them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from contextvars import Context
from functools import partial

from tidings.backends.sqlite.database import Database, is_transient
from tidings.backends.sqlite.seen import Seen
from tidings.backends.sqlite.seen_run import Sizes
from tidings.backends.sqlite.seen_upkeep import Upkeep
from tidings.ports import Clock

QUIET = 0.05
STEPS_AT_ONCE = 20  # what the largest write makes due; others wait for no longer than about as long as it took


class Pace:
    """One task at most. Its steps are jobs between flushes and units, which wait for those that are due, no more."""

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
            self._unfinished = True
            while self._unfinished:
                steps = partial(self._steps, await self._due())
                self._unfinished = await self._database.job(steps, lazily=True)
        except sqlite3.Error as error:
            if not is_transient(error):
                raise
        finally:
            self._task = None

    def _steps(self, count: int, connection: sqlite3.Connection) -> bool:
        """Do so many steps; False if there is nothing left to do."""
        return all(self._upkeep.step(connection) for _ in range(count))

    async def _due(self) -> int:
        """Come back when steps are due for the keys that were added, or one, if none were for a while."""
        while (due := (self._seen.added - self._settled) // self._sizes.pace) == 0:
            before = self._seen.added
            await self._clock.sleep(QUIET)
            if self._seen.added == before:
                self._settled = before
                return 1
        due = min(due, STEPS_AT_ONCE)
        self._settled += due * self._sizes.pace
        return due

    async def close(self) -> None:
        """Stop after the step under way; twice is once."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
