"""Telling whoever takes the tables on what that waits for: nothing of it is seen from the connection that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.database import first_connection
from tidings.ports import Clock

TOLD_SECONDS = 2.0
"""What waits for so long is told."""
LOOK_SECONDS = 0.5

# The first of those that hold it: somebody's connection, or a prepared transaction, whose number is 0. `held` is NULL
# for the lock of those who take the tables on.
_HOLDER = """
SELECT b.pid, a.application_name, CASE WHEN l.locktype <> 'advisory' THEN coalesce((
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = l.relation), 'what it needs') END AS held,
  extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_locks l, LATERAL unnest(pg_blocking_pids(l.pid)) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid
WHERE l.pid = $1 AND NOT l.granted AND clock_timestamp() - l.waitstart >= $2 ORDER BY b.pid LIMIT 1
"""


class Waiting:
    """Watches one connection from another one, and tells a sentence once for each that holds it up.

    `pid`: the server's process that is watched, known from inside of its transaction.
    """

    def __init__(self, url: str, clock: Clock, tell: Callable[[str], None]) -> None:
        self.pid = 0
        self._url = url
        self._clock = clock
        self._tell = tell
        self._told: tuple[int, str | None] | None = None

    def begun(self, pid: int) -> None:
        """Be told which process of the server has the transaction now."""
        self.pid = pid

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watch while inside. What goes wrong with that is nothing to who waits."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        await self._clock.sleep(TOLD_SECONDS)
        async with first_connection(self._url) as (connection, _):
            while True:
                await self._look(connection)
                await self._clock.sleep(LOOK_SECONDS)

    async def _look(self, connection: Connection) -> None:
        row = await connection.fetchrow(_HOLDER, self.pid, timedelta(seconds=TOLD_SECONDS))
        if row is not None and (row["pid"], row["held"]) != self._told:
            self._told = row["pid"], row["held"]
            self._tell(_sentence(*row))


def _sentence(pid: int, application: str | None, held: str | None, seconds: float | None) -> str:
    if not pid:
        return (
            "waiting for a prepared transaction of pg_prepared_xacts, which COMMIT PREPARED or ROLLBACK PREPARED ends"
        )
    who = f"process {pid} of the server ({application or 'which does not say what it is'})"
    if held is None:
        return f"waiting for {who}, which takes the tables on, too"
    since = "" if seconds is None else f", its transaction open for {seconds:,.0f} s"
    return f"waiting for {who}, which holds {held}{since}: let it end, or `SELECT pg_terminate_backend({pid})`"
