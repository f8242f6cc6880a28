"""Partitions of the log, made ahead of the positions that will be drawn, so that no append waits for one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context

from tidings.backends.postgres.database import Database
from tidings.backends.postgres.failures import DRIVER_ERRORS
from tidings.log.driver import Position

PARTITION_BITS = 24
"""A partition has 2^24 positions. There is always one beyond that in which entries are appended."""


class Rooms:
    """Sees to it that there is a partition, for one process. Others do the same; who comes second finds it made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.enough_until: Position = 0
        self._making: asyncio.Task[None] | None = None

    def reached(self, position: Position) -> None:
        """Be told of a position that was drawn, if it is not below `enough_until`, where nothing is to be done yet."""
        if position >= self.enough_until and self._making is None:
            self._making = asyncio.get_running_loop().create_task(self._make_ahead(), context=Context())

    async def _make_ahead(self) -> None:
        # Whatever fails here fails again in the append that finds no partition, 2^24 positions on, and is told there.
        try:
            with suppress(*DRIVER_ERRORS):
                await self.make()
        finally:
            self._making = None

    async def make(self) -> None:
        """See that there is a partition for the next position, and the one behind it."""
        async with self._database.connection() as connection:
            end: Position = await connection.fetchval("SELECT tidings.make_room()")
        self.enough_until = end - (1 << PARTITION_BITS)

    async def close(self) -> None:
        """Wait for the partition that is being made."""
        while self._making is not None:
            await asyncio.wait([self._making])
