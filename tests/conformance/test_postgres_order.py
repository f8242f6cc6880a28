"""The order of the log under the worst writers: what each reader read is the log, whole and in order.

Six of them roll back, sleep within their transactions, have transaction ids that are older than their positions, append
twice, take savepoints back, prepare; one transaction stands open in another database for all the time.
`TEST_SCALE` says how long the histories are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import asyncpg
import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.binaries import NEWEST, OLDEST
from tests.postgres.held import Held, held
from tests.scale import SCALE
from tidings.backends.postgres.log import PostgresLog
from tidings.conformance.samples import event
from tidings.events.envelope import Envelope
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.driver import Position, Write

pytestmark = pytest.mark.parametrize("postgres", [OLDEST, NEWEST], indirect=True, scope="session")

SEEDS = range(20 if SCALE > 1 else 3)
WRITERS = 6
TURNS = 20 * SCALE
PAGES = (3, 7, 100)
ODD = Filter(types=frozenset({"odd"}))
LAST = "the end"
Read = tuple[Position, str]


class Writer:
    """Appends in every way that there is, each event with an id of its own."""

    def __init__(self, name: int, draw: Random, log: PostgresLog, slow: Held) -> None:
        self._name = name
        self._draw = draw
        self._log = log
        self._slow = slow
        self._made = 0

    def _events(self) -> tuple[Envelope, ...]:
        made = range(self._made, self._made + self._draw.choice((1, 1, 1, 2, 5)))
        self._made = made.stop
        return tuple(event(f"{self._name}-{n}", type=self._draw.choice(("odd", "even")), subject=None) for n in made)

    async def _pause(self) -> None:
        await asyncio.sleep(self._draw.choice((0, 0.001, 0.002, 0.01)))

    async def turn(self) -> None:
        ways = (self._plainly, self._plainly, self._slowly, self._slowly, self._twice, self._taken_back, self._prepared)
        await self._draw.choice(ways)()
        if self._draw.random() < 0.5:
            await self._pause()

    async def _plainly(self) -> None:
        await self._log.append([Write(envelopes=self._events()) for _ in range(self._draw.choice((1, 3)))])

    async def _begin(self) -> None:
        await self._slow.run("BEGIN")
        if self._draw.random() < 0.5:
            await self._slow.run("SELECT pg_current_xact_id()")  # an id that is older than the positions
            await self._pause()

    async def _end(self) -> None:
        await self._pause()
        await self._slow.run(self._draw.choice(("COMMIT", "COMMIT", "ROLLBACK")))

    async def _slowly(self) -> None:
        await self._begin()
        await self._slow.append(*self._events())
        await self._end()

    async def _twice(self) -> None:
        await self._begin()
        await self._slow.append(*self._events())
        await self._pause()
        await self._slow.append(*self._events())
        await self._end()

    async def _taken_back(self) -> None:
        await self._begin()
        await self._slow.run("SAVEPOINT s")
        await self._slow.append(*self._events())
        await self._slow.run("ROLLBACK TO s")
        await self._slow.append(*self._events())
        await self._end()

    async def _prepared(self) -> None:
        name = f"'{self._name}-{self._made}'"
        await self._begin()
        await self._slow.append(*self._events())
        await self._slow.run(f"PREPARE TRANSACTION {name}")
        await self._pause()
        await self._slow.run(f"{self._draw.choice(('COMMIT', 'ROLLBACK'))} PREPARED {name}")


async def follow(log: PostgresLog, page: int, where: Filter) -> list[Read]:
    """Read along until the last entry came; wait where there is nothing."""
    found: list[Read] = []
    after = 0
    while not found or found[-1][1] != LAST:
        read = await log.read(after=after, limit=page, where=where)
        found += [(entry.position, entry.envelope.id) for entry in read.entries]
        if read.upto == after:
            await log.wait(after=after, timeout=timedelta(seconds=60))
        after = read.upto
    return found


async def follow_without_proof(connection: asyncpg.Connection) -> list[Read]:
    """Read what is visible behind what was read, as if nothing could appear below it."""
    found: list[Read] = []
    while not found or found[-1][1] != LAST:
        after = found[-1][0] if found else 0
        rows = await connection.fetch("SELECT pos, id FROM tidings.log WHERE pos > $1 ORDER BY pos LIMIT 100", after)
        found += [(row["pos"], row["id"]) for row in rows]
        await asyncio.sleep(0)
    return found


@asynccontextmanager
async def open_elsewhere(url: str) -> AsyncIterator[None]:
    """Have a transaction that writes stand open in another database."""
    connection = await asyncpg.connect(url)
    await connection.execute("BEGIN; CREATE TABLE t ()")
    yield
    await connection.close()


async def write_and_end(writers: Sequence[Writer], log: PostgresLog) -> None:
    async def all_turns(writer: Writer) -> None:
        for _ in range(TURNS):
            await writer.turn()

    await asyncio.gather(*map(all_turns, writers))
    await log.append([Write(envelopes=(event(LAST, type="odd", subject=None),))])


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_reader_reads_the_log_and_who_proves_nothing_loses_entries(
    postgres_url: str, bare_postgres_url: str, seed: int
) -> None:
    draw = Random(seed)
    logs = [await open_log(postgres_url), await open_log(postgres_url)]
    naive = await asyncpg.connect(postgres_url)
    connections = [held(postgres_url) for _ in range(WRITERS)]
    slow = [await each.__aenter__() for each in connections]
    writers = [Writer(n, Random(draw.random()), logs[n % 2], slow[n]) for n in range(WRITERS)]
    async with open_elsewhere(bare_postgres_url):
        readers = [
            asyncio.create_task(follow(log, page, where))
            for log in logs
            for page in PAGES
            for where in (EVERYTHING, ODD)
        ]
        loser = asyncio.create_task(follow_without_proof(naive))
        await write_and_end(writers, logs[0])
        found_by_loser = await loser
        rows = await naive.fetch("SELECT pos, id, type FROM tidings.log ORDER BY pos")
        everything = [(row["pos"], row["id"]) for row in rows]
        odd = [(row["pos"], row["id"]) for row in rows if row["type"] == "odd"]
        for n, reader in enumerate(readers):
            assert await reader == (odd if n % 2 else everything)
        holes = everything[-1][0] - len(everything)
        lost = len(everything) - len(found_by_loser)
    for each in connections:
        await each.__aexit__(None, None, None)
    for log in logs:
        await log.close()
    await naive.close()
    print(f"seed {seed}: {len(everything)} entries, {holes} holes; without the proof {lost} were lost")
    assert holes > TURNS
    assert lost > 0
