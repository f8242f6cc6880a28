"""A store whose log lies elsewhere: units stage what they emit, and a relay carries it over."""

from __future__ import annotations

from pathlib import Path

from tests.crash.telling import tell
from tidings.backends.sqlite import open_sqlite
from tidings.backends.sqlite.database import Database
from tidings.backends.sqlite.store import SqliteStore
from tidings.conformance.samples import event
from tidings.consumers.relay import Relay
from tidings.log.log import Log
from tidings.ports import Ports

UNITS = 20
PAGE = 7


def staged(n: int) -> list[str]:
    """Return the ids that the nth unit emits."""
    return [f"{n}-{i}" for i in range(3)]


async def relay(folder: Path, ports: Ports, options: str) -> None:
    """Stage in units, each once, and carry over what is staged until nothing is left."""
    database = Database(str(folder / "store.db"))
    store = SqliteStore(database, ports)
    log = open_sqlite(str(folder / "log.db"), Ports())
    async with store.unit() as unit:
        await unit.sql.execute("CREATE TABLE IF NOT EXISTS done (n INTEGER PRIMARY KEY)")
    for n in range(UNITS):
        async with store.unit() as unit:
            if await unit.sql.execute("INSERT INTO done VALUES (?) ON CONFLICT DO NOTHING", (n,)):
                unit.emit([event(id) for id in staged(n)])
        for id in staged(n):
            tell(id)
    carrier = Relay(store, Log(log.log, Ports()), ports, page=PAGE)
    while await carrier.carry():
        pass
    await log.close()
    await database.close()
