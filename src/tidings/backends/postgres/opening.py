"""Putting log and store together over one database."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.backends.postgres.appending import PostgresAppender
from tidings.backends.postgres.database import CONNECTIONS, open_database
from tidings.backends.postgres.host import PostgresHost
from tidings.backends.postgres.log import PostgresLog
from tidings.backends.postgres.store import PostgresStore
from tidings.ports import Ports


@dataclass(frozen=True, slots=True)
class Postgres:
    """A log and a store that share their transactions."""

    log: PostgresLog
    store: PostgresStore
    host: PostgresHost

    async def close(self) -> None:
        """Let go of everything; twice is once."""
        await self.log.close()
        await self.store.close()


async def open_postgres(url: str, ports: Ports, *, connections: int = CONNECTIONS) -> Postgres:
    """Open the database at `url`, and make its tables if there are none.

    `connections`: most of the pool. SettingError if the URL or the user in it is wrong; SchemaError if the server, its
    settings, the user's rights or the tables are not what this release can work with; SequenceRewoundError if the next
    position was used before; StoreUnavailableError if it cannot be reached now.
    """
    database = await open_database(url, connections=connections)
    appender = PostgresAppender(database.secret, ports.clock)
    store = PostgresStore(database, ports, log=appender)
    log = PostgresLog(database, ports, appender=appender, inline=store)
    return Postgres(log, store, PostgresHost(database, ports.clock))
