"""Knows up to where the log is final, for all readers of one process: it looks, and `horizon` decides."""

from __future__ import annotations

import asyncio
from contextvars import Context

from tidings.backends.postgres import halted, reading
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.database import Database
from tidings.backends.postgres.failures import translated
from tidings.backends.postgres.horizon import Horizon, readable
from tidings.backends.postgres.safe import Safe
from tidings.errors import LogUnavailableError
from tidings.log.driver import Head, Position

POSITIONS = 10_000
"""How many positions are looked through at once for a hole, while somebody holds one."""


class Settling:
    """What is final. Whoever reads has to ask `final` before the query begins: what is proved later may be newer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._horizon = Horizon()
        self._safe = Safe(database)
        self._holders = halted.Watch(halted.HOLDERS)
        self._looking = asyncio.Lock()
        self._next: asyncio.Task[Head] | None = None
        self._looks: set[asyncio.Task[Head]] = set()

    @property
    def final(self) -> Position:
        return self._horizon.final

    @property
    def has_open_hole(self) -> bool:
        """Whether somebody was seen who may yet fill a hole below what is visible."""
        return self._horizon.proof is not None

    def extend(self, final: Position) -> None:
        """Be told that everything at or below this position was read, or is final."""
        self._horizon = self._horizon.extended(final)
        self._safe.proved(self._horizon.final)

    async def look(self) -> Head:
        """Look at the log, at once, with whoever asks before that look begins. The head's position is a visible one."""
        if self._next is None:
            # In the context of nobody: it may be a unit's, whose connection would be looked through.
            look = asyncio.get_running_loop().create_task(self._look(), context=Context())
            self._looks.add(look)
            look.add_done_callback(self._looked)
            self._next = look
        return await asyncio.shield(self._next)

    async def _look(self) -> Head:
        # One after the other: a look that began before another ended must not say who of that one's holders is left.
        async with self._looking:
            self._next = None
            with translated(LogUnavailableError):
                return await self._see()

    async def _see(self) -> Head:
        async with self._database.connection() as connection:
            seen, head = await reading.look(connection)
            self._database.commits(seen.synchronous_commit)
            self._horizon = self._horizon.extended(seen.safe).after(seen)
            has_hole = self.final < seen.top and await self._stops_at_hole(connection)
            self._database.hole.seen(self.final if has_hole else None)
            self._safe.proved(self.final)
            if self._database.hole.seconds >= halted.HELD_SECONDS:
                await self._holders.look(connection, asyncio.get_running_loop().time())
            return head

    async def _stops_at_hole(self, connection: Connection) -> bool:
        """Go on to the first hole: what has none below it need not wait for anybody. Say whether one was come to."""
        before = self.final
        found = await reading.positions(connection, before, POSITIONS)
        count = readable(found, after=before, final=before)
        if count:
            self.extend(found[count - 1])
        return count < len(found)

    def _looked(self, look: asyncio.Task[Head]) -> None:
        self._looks.discard(look)
        if not look.cancelled():
            look.exception()  # whoever asked has been told, unless nobody waits any more

    async def close(self) -> None:
        """Wait for the looks that are on their way, and for what is being told of them."""
        while self._looks:
            await asyncio.wait(self._looks)
        await self._safe.close()
