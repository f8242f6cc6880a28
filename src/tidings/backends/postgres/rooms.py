"""Partitions of the log, made ahead of the positions that will be drawn, so that no append waits for one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context

from tidings.backends.postgres.connection import CONNECT_SECONDS, Connection
from tidings.backends.postgres.database import Database
from tidings.backends.postgres.failures import DRIVER_ERRORS
from tidings.errors import LogUnavailableError
from tidings.log.driver import Position

PARTITION_BITS = 24
"""A partition has 2^24 positions. There is always one beyond that in which entries are appended."""

# Of two partitions, the number of the first one that a table only has the name of.
_NOT_ATTACHED = """
SELECT n FROM unnest($1::bigint[]) AS n WHERE NOT EXISTS (
  SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'tidings.log'::regclass AND NOT i.inhdetachpending AND c.relname = 'log_' || n) ORDER BY n LIMIT 1
"""


async def make_room(connection: Connection) -> Position:
    """See that there is a partition for the next position, and the one behind it; return where that one ends.

    LogUnavailableError if somebody took one of them off the log.
    """
    end: Position = await connection.fetchval("SELECT tidings.make_room()")
    last = (end >> PARTITION_BITS) - 1
    part: int | None = await connection.fetchval(_NOT_ATTACHED, [last - 1, last])
    if part is not None:
        first = part << PARTITION_BITS
        raise LogUnavailableError(
            f"the next events belong into the table tidings.log_{part}, which is not attached to the log: run `ALTER "
            f"TABLE tidings.log ATTACH PARTITION tidings.log_{part} FOR VALUES FROM ({first}) TO "
            f"({first + (1 << PARTITION_BITS)})`"
        )
    return end


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
            with suppress(*DRIVER_ERRORS, LogUnavailableError):
                await self.make()
        finally:
            self._making = None

    async def make(self) -> None:
        """See that there is a partition for the next position, and the one behind it. Errors as `make_room`."""
        async with self._database.connection() as connection:
            await self._make(connection)

    async def make_beside(self) -> None:
        """As `make`, for who stands in a unit that has failed: its connection does no more, and others may wait too."""
        connection = await self._database.own_connection()
        try:
            await self._make(connection)
        finally:
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=CONNECT_SECONDS)

    async def _make(self, connection: Connection) -> None:
        self.enough_until = await make_room(connection) - (1 << PARTITION_BITS)

    async def close(self) -> None:
        """Wait for the partition that is being made."""
        while self._making is not None:
            await asyncio.wait([self._making])
