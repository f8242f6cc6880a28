"""Where the sequence of positions stands behind the log, nothing is appended that readers would pass over."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.unit.backends.postgres.room import Opened, opened
from tidings.backends.postgres.opening import open_postgres
from tidings.backends.postgres.restoring import begin_life
from tidings.conformance.samples import event, events, ids_in, keep
from tidings.errors import LogUnavailableError, SequenceRewoundError
from tidings.log.lives import APART
from tidings.log.log import Log
from tidings.ports import Ports, SystemClock

USED = 9


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    """A log with holes, whose sequence is at its beginning."""
    async with opened(postgres_url) as room:
        await keep(room.log, event("kept"))
        await room.rows("SELECT setval('tidings.position', 5)")
        await keep(room.log, *events(6, USED + 1))
        await room.rows("ALTER SEQUENCE tidings.position RESTART")
        yield room


async def test_after_the_first_position_that_is_taken_nothing_is_kept_in_a_hole(at: Opened) -> None:
    log = Log(at.log, Ports())
    for id in "abc":
        with pytest.raises(SequenceRewoundError, match="tidings log restored"):
            await log.append([event(id)])
        with pytest.raises(SequenceRewoundError):
            await keep(at.log, *[event(f"{id}{n}") for n in range(300)])
        with pytest.raises(SequenceRewoundError):
            async with at.store.unit() as unit:
                unit.emit([event(f"unit-{id}")])
    assert await at.rows("SELECT last_value FROM tidings.position") == [(1,)]
    assert await ids_in(at.log) == ["kept", "6", "7", "8", "9"]


async def test_who_appends_alone_keeps_nothing_either_once_a_unit_has_met_it(at: Opened) -> None:
    log = Log(at.log, Ports())
    await at.rows(f"SELECT setval('tidings.position', {USED})")
    for id in "ab":
        await log.append([event(id)])
    await at.rows("SELECT setval('tidings.position', 5)")
    with pytest.raises(SequenceRewoundError):
        async with at.store.unit() as unit:
            unit.emit([event("unit")])
    await at.rows("SELECT setval('tidings.position', 3)")
    for id in "cd":
        with pytest.raises(SequenceRewoundError):
            await log.append([event(id)])
    assert (await ids_in(at.log))[-2:] == ["a", "b"]


async def test_a_unit_that_meets_it_is_the_last_to_append(at: Opened) -> None:
    for _ in range(3):
        with pytest.raises(SequenceRewoundError):
            async with at.store.unit() as unit:
                unit.emit([event("unit")])
    assert await at.rows("SELECT last_value FROM tidings.position") == [(1,)]


@pytest.mark.parametrize(
    "used",
    [
        "SELECT 1",
        f"DELETE FROM tidings.log; UPDATE tidings.head SET safe_pos = {USED}",
        f"DELETE FROM tidings.log; UPDATE tidings.head SET safe_pos = 0, floor_pos = {USED}",
    ],
    ids=["an entry", "proved final", "removed"],
)
async def test_it_is_not_opened_until_it_is_told_that_it_was_restored(at: Opened, postgres_url: str, used: str) -> None:
    await at.log.close()
    direct = await asyncpg.connect(postgres_url)
    await direct.execute(used)
    for last in (1, USED - 1):
        await direct.execute("SELECT setval('tidings.position', $1::bigint)", last)
        with pytest.raises(SequenceRewoundError, match="tidings log restored"):
            await open_postgres(postgres_url, Ports())
    await direct.close()
    life = await begin_life(postgres_url, SystemClock(), who="me")
    assert life.after == USED + APART
    again = await open_postgres(postgres_url, Ports())
    assert (await keep(again.log, event("new"))).positions == (life.after + 1,)
    await again.close()


async def test_a_process_that_is_led_to_another_server_appends_nothing_in_its_holes(
    at: Opened, postgres_url: str
) -> None:
    """As where a copy by logical replication takes the place of the server, and connections are made anew."""
    direct = await asyncpg.connect(postgres_url)
    await direct.execute("SELECT setval('tidings.position', 2)")  # the next one is a hole
    await direct.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1",
        direct.get_server_pid(),
    )
    log = Log(at.log, Ports())
    for id in "abc":
        with pytest.raises(LogUnavailableError, match="tidings log restored"):
            await log.append([event(id)])
    assert await direct.fetchval("SELECT last_value FROM tidings.position") == 2
    await direct.close()


async def test_numbers_that_were_drawn_in_vain_keep_nobody_out(at: Opened, postgres_url: str) -> None:
    await at.rows(f"SELECT setval('tidings.position', {USED})")
    again = await open_postgres(postgres_url, Ports())
    assert (await keep(again.log, event("new"))).positions == (USED + 1,)
    await again.close()
