"""A table that is replaced while others still park for it, or redrive: nothing is parked for it once it is replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.conformance.samples import event
from tidings.conformance.store_inline import BUILDING, LIVE
from tidings.conformance.store_samples import entry, reason
from tidings.log.driver import Write

OLD, NEW = "suite.inline", "suite.new"


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url) as room:
        await room.store.create_view(LIVE)
        await room.store.create_view(BUILDING)
        yield room


async def is_swapped(at: Opened) -> bool:
    return await at.store.swap_view(BUILDING, consumer=NEW, replaced_consumer=OLD)


async def test_a_swap_gives_way_to_an_append_that_may_park_for_the_old_table(at: Opened, postgres_url: str) -> None:
    async with opened(postgres_url) as other:
        async with at.database.transaction() as connection:
            assert at.store._log is not None
            await at.store._log.append_in(connection, [Write(envelopes=(event("before"),))])
            assert not await is_swapped(other)
        assert await is_swapped(other)


async def test_a_swap_gives_way_to_who_redrives_for_the_old_table(at: Opened, postgres_url: str) -> None:
    async with at.store.unit() as unit:
        await unit.park(OLD, "subject/1", [entry(1), entry(2)], reason(None))
    async with opened(postgres_url) as other:
        async with at.store.unit() as unit:
            await unit.unpark(OLD, "subject/1", 1)
            assert not await is_swapped(other)
        assert await is_swapped(other)
        assert await other.store.parked() == []
