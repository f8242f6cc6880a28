"""Inline views on PostgreSQL, where two transactions may append to one subject at once: neither is lost, or stuck."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tidings import App, Service, Settings, event
from tidings.app.opened import Opened
from tidings.backends.postgres.appending import IdRacedError
from tidings.errors import ConflictError
from tidings.events.codec import encode_json
from tidings.events.envelope import Entry, Envelope
from tidings.store.rows import ViewRecord
from tidings.store.unit import Unit
from tidings.views.inline import InlineFolds

SECONDS = 30


@event("word-said", version=1, subject="who")
class WordSaid:
    who: str
    word: str


talk = Service("talk")


@talk.view(key=("who",), mode="inline")
class Said:
    who: str
    words: str


@talk.fold(Said, WordSaid)
def said(row: Said | None, event: WordSaid) -> Said:
    return Said(event.who, f"{row.words if row else ''}{event.word}")


class Held:
    """Folds, but not before it may: until then what was appended is not committed."""

    def __init__(self, folds: InlineFolds) -> None:
        self._folds = folds
        self.came = asyncio.Event()
        self.may_go = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._folds, name)

    async def apply(self, unit: Unit, entries: Sequence[Entry], tables: Sequence[ViewRecord]) -> None:
        self.came.set()
        await self.may_go.wait()
        await self._folds.apply(unit, entries, tables)


async def waits_for_a_lock(url: str) -> bool:
    connection = await asyncpg.connect(url)
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype IN ('advisory', 'transactionid', 'tuple'))"
    )
    await connection.close()
    return found


@dataclass(frozen=True)
class Pair:
    """Two processes, as the database sees it. What the first one publishes is not committed before `held` may go."""

    url: str
    first: App
    second: App
    opened: Opened
    held: Held

    async def waiting(self, task: asyncio.Task[Any]) -> None:
        """Come back when the task waits for somebody else's lock."""
        while not task.done() and not await waits_for_a_lock(self.url):
            await asyncio.sleep(0.01)
        assert not task.done()

    async def words(self) -> str:
        async with self.second.unit("talk") as ctx:
            row = await ctx.get(Said, who="jack")
        return row.words if row else ""


@asynccontextmanager
async def opened_twice(url: str) -> AsyncIterator[Pair]:
    settings = Settings(database_url=url)
    first, second = App(talk), App(talk)
    async with (
        asyncio.timeout(SECONDS),
        first.open(settings, consume=False) as slow,
        second.open(settings, consume=False) as other,
    ):
        held = Held(InlineFolds(slow.views, slow.log, slow.ports))
        slow.store.hold_inline(held)
        yield Pair(url, first, second, other, held)


def taken(who: str) -> Envelope:
    """Return another event under the id that the first process publishes."""
    return Envelope(source="web", id="1", type="word-said", subject=who, data=b'{"who":"jack","word":"other"}')


async def test_of_two_processes_that_append_to_one_subject_neithers_entry_is_left_out(postgres_url: str) -> None:
    async with opened_twice(postgres_url) as pair:
        slow = asyncio.create_task(pair.first.publish(WordSaid("jack", "a"), source="web", id="1"))
        await pair.held.came.wait()
        quick = asyncio.create_task(pair.second.publish(WordSaid("jack", "b"), source="web", id="2"))
        await pair.waiting(quick)
        pair.held.may_go.set()
        await asyncio.gather(slow, quick)
        assert sorted(await pair.words()) == ["a", "b"]


@pytest.mark.parametrize("subject", ["jack", "jill"])  # it waits for who has the subject, and for who has the id
async def test_a_unit_that_is_refused_beside_an_open_append_of_its_subject_ends(
    postgres_url: str, subject: str
) -> None:
    async with opened_twice(postgres_url) as pair:
        slow = asyncio.create_task(pair.first.publish(WordSaid("jack", "a"), source="web", id="1"))
        await pair.held.came.wait()

        async def refused() -> None:
            async with pair.opened.store.unit() as unit:
                unit.emit([taken(subject)])

        units = [asyncio.create_task(refused()) for _ in range(3)]
        await pair.waiting(units[0])
        units[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await units[1]
        pair.held.may_go.set()
        await slow
        for unit in (units[0], units[2]):
            with pytest.raises((ConflictError, IdRacedError)):
                await unit
        await pair.second.publish(WordSaid("jack", "b"), source="web", id="2")
        assert await pair.words() == "ab"


async def test_appends_that_are_refused_and_cancelled_beside_an_open_one_of_their_subject_end(
    postgres_url: str,
) -> None:
    async with opened_twice(postgres_url) as pair:
        slow = asyncio.create_task(pair.first.publish(WordSaid("jack", "a"), source="web", id="1"))
        await pair.held.came.wait()
        expecting = asyncio.create_task(pair.opened.log.append([word("2", "b")], expected={"jack": 0}))
        await pair.waiting(expecting)
        refused = asyncio.create_task(pair.opened.log.append([taken("jack")]))
        cancelled = asyncio.create_task(pair.opened.log.append([word("3", "c")]))
        await asyncio.sleep(0)
        cancelled.cancel()
        pair.held.may_go.set()
        await slow
        for append in (expecting, refused):
            with pytest.raises(ConflictError):
                await append
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await pair.second.publish(WordSaid("jack", "d"), source="web", id="4")
        assert await pair.words() == "ad"


def word(id: str, said: str) -> Envelope:
    return Envelope(source="web", id=id, type="word-said", subject="jack", data=encode_json(WordSaid("jack", said)))


async def test_a_unit_that_has_read_a_row_appends_to_its_subject_while_another_append_waits_for_that_row(
    postgres_url: str,
) -> None:
    """Each holds what the other waits for. The server would end the unit, which has waited for longer."""
    async with opened_twice(postgres_url) as pair:
        slow = asyncio.create_task(pair.first.publish(WordSaid("jack", "a"), source="web", id="1"))
        await pair.held.came.wait()

        async def decide() -> None:
            async with pair.second.unit("talk") as ctx:
                row = await ctx.get(Said, who="jack")
                await ctx.emit(WordSaid("jack", "none" if row is None else "some"))

        unit = asyncio.create_task(decide())
        await pair.waiting(unit)
        pair.held.may_go.set()
        await asyncio.gather(unit, slow)
        assert await pair.words() == "anone"  # in the order of their times
