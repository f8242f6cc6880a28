"""Inline views on PostgreSQL, where two transactions may append to one subject at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from tidings import App, Service, Settings, event
from tidings.events.envelope import Entry
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


async def test_of_two_processes_that_append_to_one_subject_neithers_entry_is_left_out(postgres_url: str) -> None:
    settings = Settings(database_url=postgres_url)
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS):
        apps = [App(talk), App(talk)]
        first, second = [await stack.enter_async_context(app.open(settings, consume=False)) for app in apps]
        held = Held(InlineFolds(first.views, first.log, first.ports))
        first.store.hold_inline(held)
        slow = asyncio.create_task(apps[0].publish(WordSaid("jack", "a"), source="web", id="1"))
        await held.came.wait()
        quick = asyncio.create_task(apps[1].publish(WordSaid("jack", "b"), source="web", id="2"))
        while not quick.done() and not await waits_for_a_lock(postgres_url):
            await asyncio.sleep(0.01)
        held.may_go.set()
        await asyncio.gather(slow, quick)
        async with second.unit("talk") as ctx:
            row = await ctx.get(Said, who="jack")
        assert row is not None
        assert sorted(row.words) == ["a", "b"]
