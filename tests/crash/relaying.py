"""A store whose log lies elsewhere: units stage what they emit, and a relay carries it over."""

from __future__ import annotations

from pathlib import Path

from tests.crash import shop
from tests.crash.telling import tell
from tidings.backends.postgres.database import open_database
from tidings.backends.postgres.store import PostgresStore
from tidings.backends.sqlite import open_sqlite
from tidings.backends.sqlite.database import Database
from tidings.backends.sqlite.store import SqliteStore
from tidings.conformance.samples import event
from tidings.consumers.relay import Relay
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.versions.retelling import Retelling

UNITS = 20
PAGE = 7


def staged(n: int) -> list[str]:
    """Return the ids that the nth unit emits."""
    return [f"{n}-{i}" for i in range(3)]


async def open_store(folder: Path, ports: Ports) -> tuple[StoreDriver, str]:
    """Open a store without a log, and return it with what stands for a value in its SQL."""
    settings = shop.settings(folder)
    if settings.engine == "postgresql":
        return PostgresStore(await open_database(settings.database_url), ports), "$1"
    return SqliteStore(Database(str(folder / "store.db")), ports), "?"


async def relay(folder: Path, ports: Ports, options: str) -> None:
    """Stage in units, each once, and carry over what is staged until nothing is left."""
    store, mark = await open_store(folder, ports)
    log = open_sqlite(str(folder / "log.db"), Ports())
    async with store.unit() as unit:
        await unit.sql.execute("CREATE TABLE IF NOT EXISTS done (n INTEGER PRIMARY KEY)")
    for n in range(UNITS):
        async with store.unit() as unit:
            if await unit.sql.execute(f"INSERT INTO done VALUES ({mark}) ON CONFLICT DO NOTHING", (n,)):
                unit.emit([event(id) for id in staged(n)])
        for id in staged(n):
            tell(id)
    to = Log(log.log, Ports())
    carrier = Relay(store, to, ports, Retelling(to.find, {}), page=PAGE)
    while await carrier.carry():
        pass
    await log.close()
    await store.close()
