"""Transactions that append and are not over yet: what makes holes in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tidings.backends.postgres.appending import PostgresAppender
from tidings.backends.postgres.connection import Connection
from tidings.events.envelope import Envelope
from tidings.log.driver import Position, Write
from tidings.ports import SystemClock


class Held:
    """A connection of its own, with a transaction in which some ids were appended."""

    def __init__(self, connection: Connection, appender: PostgresAppender) -> None:
        self.connection = connection
        self._appender = appender

    async def append(self, *envelopes: Envelope) -> list[Position]:
        [receipt] = await self._appender.append_in(self.connection, [Write(envelopes=envelopes)])
        assert receipt.outcome == "appended"
        return list(receipt.positions)

    async def append_one(self, envelope: Envelope) -> Position:
        """Append as a flush of one envelope does, which never stands inside a transaction but here."""
        [receipt] = await self._appender.keep(self.connection, [Write(envelopes=(envelope,))])
        [position] = receipt.positions
        return position

    async def run(self, statement: str) -> None:
        await self.connection.execute(statement)


@asynccontextmanager
async def held(url: str) -> AsyncIterator[Held]:
    """Connect; at the end let go of the connection, whatever is open."""
    connection = await asyncpg.connect(url, connection_class=Connection)
    try:
        secret = await connection.fetchval("SELECT secret FROM tidings.head")
        yield Held(connection, PostgresAppender(secret, SystemClock()))
    finally:
        connection.terminate()
