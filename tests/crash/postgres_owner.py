"""A process that carries entries on PostgreSQL.

`python -m tests.crash.postgres_owner URL OWNER SECONDS POINT SIGNAL IDLE`. Its owner's name is not a process's, so
nobody can see that it is dead but by its leases, which last SECONDS; unless it is "", for its own. It sends itself the
SIGNAL at the POINT, and ends in order on SIGTERM. PostgreSQL ends a transaction of it that stands still for IDLE
seconds. It prints `KEPT` for each unit that was committed, and what it warns of.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tests.crash.points import Signalled
from tests.crash.telling import tell
from tidings.backends.postgres import database
from tidings.backends.postgres.appending import PostgresAppender
from tidings.backends.postgres.database import Database, open_database
from tidings.backends.postgres.log import PostgresLog
from tidings.backends.postgres.store import PostgresStore
from tidings.conformance.samples import TYPE
from tidings.consumers import leases
from tidings.consumers.consumer import Consumer
from tidings.events.envelope import Entry
from tidings.log.log import Log
from tidings.ports import Ports, this_process
from tidings.store.unit import Unit

CONSUMER = "trail"
KEPT = "kept"
TRAIL = "CREATE TABLE trail (pos bigint NOT NULL, owner text NOT NULL)"


@dataclass(frozen=True, slots=True)
class Opened:
    database: Database
    store: PostgresStore
    log: Log


@asynccontextmanager
async def opened(url: str, ports: Ports) -> AsyncIterator[Opened]:
    own = await open_database(url)
    appender = PostgresAppender(own.secret, ports.clock)
    store = PostgresStore(own, ports, log=appender)
    log = Log(PostgresLog(own, ports, appender=appender, inline=store), ports)
    yield Opened(own, store, log)
    await log.close()


class Trail:
    """Writes a row for each entry, and nothing that would hide that one came twice."""

    name = CONSUMER
    types = frozenset({TYPE})
    spans = False

    def __init__(self, owner: str) -> None:
        self._owner = owner

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        for entry in entries:
            await unit.sql.execute("INSERT INTO trail VALUES ($1, $2)", (entry.position, self._owner))


class Telling(Signalled):
    """Prints when a unit was committed."""

    def at(self, name: str) -> None:
        super().at(name)
        if name == "unit:committed":
            tell(KEPT)


async def main(url: str, owner: str, seconds: str, point: str, which: str, idle: str) -> None:
    leases.TTL = timedelta(seconds=float(seconds))
    database.ON_ITS_OWN = {**database.ON_ITS_OWN, "idle_in_transaction_session_timeout": f"{idle}s"}
    owner = owner or this_process()
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
    ports = Ports(points=Telling(point, 1, signal.Signals[which]))
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with opened(url, ports) as at:
        await Consumer(Trail(owner), log=at.log, store=at.store, ports=ports, owner=owner).run(stopping)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
