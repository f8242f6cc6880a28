"""The processes that random kills hit: one server on a file, or several servers, consumers and PostgreSQL itself."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.crash import shop
from tests.crash.server import Server
from tests.crash.telling import note
from tests.postgres.binaries import NEWEST
from tests.postgres.server import Server as Postgres
from tests.postgres.server import own

AT_START = 0.15
"""Share of kills that hit a server while it starts: in the recovery from the kill before."""
START_SECONDS = 1.0
CHECKED_EVERY = 50
SERVERS = 2
CONSUMERS = 2


class Fleet:
    """What is killed. `servers`: those that clients send to; `consumers`: the same program, which none sends to."""

    def __init__(self, folder: Path, postgres: Postgres | None = None) -> None:
        self.postgres = postgres
        self.killed: Counter[str] = Counter()
        self._folder = folder
        names = range(1, SERVERS + 1) if postgres else [1]
        self.servers = [Server(folder, f"server-{n}") for n in names]
        self.consumers = [Server(folder, f"consumer-{n}") for n in range(1, CONSUMERS + 1)] if postgres else []

    @property
    def processes(self) -> list[Server]:
        return [*self.servers, *self.consumers]

    def start(self) -> None:
        for each in self.processes:
            each.start()

    async def until_listening(self) -> None:
        await asyncio.gather(*(each.until_listening() for each in self.processes))

    async def next_target(self, draw: Random) -> Server | None:
        """Choose who is killed next; None for PostgreSQL. It, the servers and the consumers take turns."""
        for each in self.processes:
            each.begin_again()
        turns = [self.servers, self.consumers, []] if self.postgres else [self.servers]
        among = turns[self.killed.total() % len(turns)]
        if not among:
            return None
        if draw.random() < AT_START:
            await asyncio.sleep(draw.random() * START_SECONDS)
            return draw.choice(among)
        target = draw.choice([each for each in among if await each.is_listening()] or among)
        await target.until_listening()
        return target

    async def kill(self, target: Server | None, draw: Random) -> None:
        """Kill it, and begin it anew."""
        if target is None:
            for each in self.processes:
                if not await each.is_listening():
                    each.excuse()  # who finds no database at its start ends, as it should
            self.killed[await asyncio.to_thread(self._restart_database, draw)] += 1
            return
        kind = target.name.partition("-")[0]
        self.killed[kind if await target.is_listening() else f"{kind} while it started"] += 1
        await target.kill()
        if self.killed.total() % CHECKED_EVERY == 0:
            self._check_file()
        target.start()

    def _restart_database(self, draw: Random) -> str:
        """Restart PostgreSQL; return how it was ended."""
        assert self.postgres is not None
        how = draw.choice(("PostgreSQL (kill -9)", "PostgreSQL (immediate)", "PostgreSQL (fast)"))
        if "kill" in how:
            self.postgres.kill()
        else:
            self.postgres.stop(signal.SIGQUIT if "immediate" in how else signal.SIGINT)
        self.postgres.start()
        return how

    def _check_file(self) -> None:
        """SQLite finds nothing wrong with the file that was left; PostgreSQL sees to its files by itself."""
        if self.postgres is not None:
            return
        connection = sqlite3.connect(shop.file(self._folder))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()

    async def stop(self) -> None:
        """SIGTERM to all at once; each ends well."""
        for each, code in zip(self.processes, await asyncio.gather(*(e.stop() for e in self.processes)), strict=True):
            assert code == 0, each.last_words()

    def leave_nothing(self) -> None:
        for each in self.processes:
            each.leave_nothing()


@contextmanager
def fleet(folder: Path, database: str) -> Iterator[Fleet]:
    """Lend the processes, none of them begun. `database`: "sqlite", or "postgresql" for a server of its own."""
    if database == "sqlite":
        yield Fleet(folder)
        return
    with own(NEWEST) as postgres:
        note(folder / shop.DATABASE, postgres.url("postgres"))
        yield Fleet(folder, postgres)
