"""An inline table that is made while others append: no entry is missed by the appends and by the backfill both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.conformance.samples import event, keep
from tidings.conformance.store_inline import BUILDING, Counting
from tidings.conformance.store_samples import rows_in
from tidings.log.driver import Write

LOOK = 0.01
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1953063937 AND NOT granted"


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        yield room


async def until(at: Opened, query: str) -> None:
    async with asyncio.timeout(30):
        while await at.rows(query) == [(0,)]:
            await asyncio.sleep(LOOK)


async def test_who_makes_a_table_waits_for_appends_that_do_not_know_of_it(at: Opened, postgres_url: str) -> None:
    async with opened(postgres_url) as other:
        other.store.hold_inline(Counting(BUILDING))
        at.store.hold_inline(Counting(BUILDING))
        async with at.database.transaction() as connection:
            assert at.store._log is not None
            [before] = await at.store._log.append_in(connection, [Write(envelopes=(event("before"),))])
            making = asyncio.create_task(other.store.create_view(BUILDING))
            await until(other, "SELECT count(*) FROM tidings.inline")
            await until(other, WAITING)
            beside = await keep(other.log, event("beside", subject="subject/2"))  # it is not held up for long
            assert not making.done()
        await making
        after = await keep(at.log, event("after", subject="subject/3"))
        # Made, it has whatever is appended from now on; what came before stands at or below the head of this moment.
        assert before.positions < beside.positions < after.positions
        assert [each.values for each in await rows_in(at.store, BUILDING.table)] == [("subject/2", 1), ("subject/3", 1)]


async def test_two_processes_that_fold_the_same_new_row_lose_nothing(at: Opened, postgres_url: str) -> None:
    async with opened(postgres_url) as other:
        for each in (at, other):
            each.store.hold_inline(Counting(BUILDING))
        await at.store.create_view(BUILDING)
        await asyncio.gather(*(keep(each.log, event(f"{n}-{id(each)}")) for n in range(20) for each in (at, other)))
        assert [each.values for each in await rows_in(at.store, BUILDING.table)] == [("subject/1", 40)]
