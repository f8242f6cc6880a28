"""Hints between processes, which may be lost, and what wakes who waits when they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.proxy import Door
from tidings.backends.postgres.database import Database, open_database
from tidings.backends.postgres.hearing import CHANNEL, Hearing
from tidings.conformance.samples import event, keep
from tidings.ports import SystemClock

PATIENCE = 60


class Quick(SystemClock):
    """Does not let anybody wait."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


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
    database: Database, postgres_url: str, door: Door
) -> None:
    other = await open_database(postgres_url)
    heard = Heard()
    listener, speaker = Hearing(database, Quick(), heard), Hearing(other, Quick(), lambda _: None)
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


async def test_many_appends_are_told_in_few_notifications(database: Database, postgres_url: str) -> None:
    heard = Heard()
    told: list[str] = []
    hearing = Hearing(database, SystemClock(), heard)
    connection = await database.own_connection()
    await connection.add_listener(CHANNEL, lambda *_: told.append("once"))
    for _ in range(1_000):
        hearing.tell()
    await heard.until(True)  # it listens
    await heard.until(True)  # and hears itself
    await connection.execute("SELECT 1")  # what was notified by then comes before the answer
    assert 0 < len(told) < 5
    await hearing.close()
    await connection.close()


async def test_what_was_not_told_yet_is_told_on_closing(database: Database) -> None:
    heard = asyncio.Event()
    connection = await database.own_connection()
    await connection.add_listener(CHANNEL, lambda *_: heard.set())
    hearing = Hearing(database, SystemClock(), lambda _: None)
    hearing.tell()
    await hearing.close()
    async with asyncio.timeout(PATIENCE):
        await heard.wait()
    await connection.close()


async def test_polling_wakes_who_waits_while_no_hint_comes(postgres_url: str, door: Door) -> None:
    reader, writer = await open_log(door.url), await open_log(postgres_url)
    waiting = asyncio.create_task(reader.wait(after=0, timeout=timedelta(seconds=PATIENCE)))
    while not reader._wakes.hears:
        await asyncio.sleep(0.001)
    await reader._hearing.close()  # it is deaf from now on, and so are hints of its own
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
