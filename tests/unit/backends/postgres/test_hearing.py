"""Hints between processes, which may be lost, and what wakes who waits when they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.proxy import Door
from tidings.backends.postgres import hearing
from tidings.backends.postgres.database import Database, open_database
from tidings.backends.postgres.hearing import CHANNEL, LISTENERS, Listener, Teller
from tidings.conformance.samples import event, keep
from tidings.ports import SystemClock

PATIENCE = 60


class Quick(SystemClock):
    """Does not let anybody wait."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Hasty(Quick):
    """For whom a second has passed whenever it asks."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 1.0
        return self._now


class Heard:
    """What a process was told: hints, and that it hears no more."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[bool] = asyncio.Queue()

    def __call__(self, hears: bool) -> None:
        self._told.put_nowait(hears)

    async def next(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            return await self._told.get()

    async def until(self, hears: bool) -> None:
        while await self.next() is not hears:
            pass

    def forget(self) -> None:
        while not self._told.empty():
            self._told.get_nowait()


@pytest.fixture
async def door(postgres_url: str) -> AsyncIterator[Door]:
    async with Door(postgres_url) as door:
        yield door


@pytest.fixture
async def database(door: Door) -> AsyncIterator[Database]:
    database = await open_database(door.url)
    yield database
    await database.close()


async def test_who_appends_is_heard_by_who_listens_also_after_the_connection_was_cut(
    database: Database, postgres_url: str, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "CALL_SECONDS", 3600.0)  # so that what is heard is the other, and not its own call
    other = await open_database(postgres_url)
    heard = Heard()
    listener = Listener(database, Quick(), heard)
    speaker = Teller(other, Hasty(), Listener(other, Quick(), heard))
    listener.begin()
    await heard.until(True)
    for _ in range(2):
        heard.forget()
        speaker.tell()
        await heard.until(True)
        async with door.shut():
            await heard.until(False)
        await heard.until(True)
    await listener.close()
    await speaker.close()
    await other.close()


@asynccontextmanager
async def listening(database: Database) -> AsyncIterator[list[str]]:
    """Have somebody else listen; yield what was told."""
    told: list[str] = []
    listener = Listener(database, SystemClock(), lambda _: None)
    listener.begin()
    while listener.pid is None:
        await asyncio.sleep(0.001)
    connection = await database.own_connection()
    await connection.add_listener(CHANNEL, lambda *_: told.append("once"))
    await connection.execute("SELECT pg_advisory_lock_shared($1, 1)", LISTENERS)
    yield told
    await connection.execute("SELECT 1")  # what was notified by then comes before the answer
    await connection.close()
    await listener.close()


def teller_of(database: Database) -> Teller:
    return Teller(database, SystemClock(), Listener(database, SystemClock(), lambda _: None))


async def test_many_appends_are_told_in_few_notifications_the_last_one_too(database: Database) -> None:
    teller = teller_of(database)
    async with listening(database) as told:
        for _ in range(1_000):
            teller.tell()
        await asyncio.sleep(0)
        teller.tell()
        await teller.close()
    assert 0 < len(told) < 5


async def test_nobody_is_told_where_nobody_listens(database: Database) -> None:
    said: list[str] = []
    teller = teller_of(database)
    async with database.connection() as connection:
        connection.add_query_logger(lambda record: said.append(record.query))
    teller.tell()
    await teller.close()
    teller.tell()
    await teller.close()
    assert [query for query in said if "NOTIFY" in query] == []
    assert len([query for query in said if "pg_locks" in query]) == 1


async def test_polling_wakes_who_waits_while_no_hint_comes(postgres_url: str, door: Door) -> None:
    reader, writer = await open_log(door.url), await open_log(postgres_url)
    waiting = asyncio.create_task(reader.wait(after=0, timeout=timedelta(seconds=PATIENCE)))
    while not reader._wakes.hears:
        await asyncio.sleep(0.001)
    await reader._listener.close()  # it is deaf from now on, and so are hints of its own
    await keep(writer, event("1"))
    await waiting
    assert (await reader.head()).position == 1
    await reader.close()
    await writer.close()


async def test_a_wait_outlasts_a_cut_connection(postgres_url: str, door: Door) -> None:
    reader, writer = await open_log(door.url), await open_log(postgres_url)
    waiting = asyncio.create_task(reader.wait(after=0, timeout=timedelta(seconds=PATIENCE)))
    await asyncio.sleep(0)
    async with door.shut():
        await keep(writer, event("1"))
    await waiting
    await reader.close()
    await writer.close()
