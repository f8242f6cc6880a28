"""Several processes on one PostgreSQL: who is stopped, killed or asked to go, and what becomes of its partitions."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.crash.points import of
from tests.crash.postgres_owner import CONSUMER, TRAIL, Opened, opened
from tests.crash.processes import PATIENCE, Child, begin
from tests.scale import SCALE
from tidings.backends.postgres.connection import IDLE_SECONDS
from tidings.conformance.samples import event
from tidings.consumers.leases import TTL
from tidings.ports import Ports
from tidings.store.claims import lease_lost

LOOK = 0.02


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Opened]:
    async with opened(postgres_url, Ports()) as room:
        async with room.store.unit() as unit:
            await unit.sql.execute(TRAIL)
        yield room


@asynccontextmanager
async def owner(
    url: str, name: str, *, seconds: float = 2.0, point: str = "", which: str = "SIGSTOP", idle: int = IDLE_SECONDS
) -> AsyncIterator[Child]:
    child = await begin("tests.crash.postgres_owner", url, name, str(seconds), point, which, str(idle))
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            child.send(signal.SIGCONT)
            child.send(signal.SIGTERM)
        ended = await child.ended()
    assert ended.code in (0, -signal.SIGKILL), ended.errors[-4000:]


async def say(at: Opened, word: str) -> list[int]:
    """Append events of many subjects; return where they stand."""
    receipt = await at.log.append([event(f"{word}-{n}", subject=f"s{n}") for n in range(40)])
    return list(receipt.positions)


async def trail(at: Opened) -> Counter[int]:
    async with at.store.unit() as unit:
        return Counter(position for (position,) in await unit.sql.fetch("SELECT pos FROM trail"))


async def owners_in_trail(at: Opened) -> set[str]:
    async with at.store.unit() as unit:
        return {owner for (owner,) in await unit.sql.fetch("SELECT DISTINCT owner FROM trail")}


async def shares(at: Opened) -> dict[str | None, int]:
    return dict(Counter(each.owner for each in (await at.store.checkpoints(CONSUMER)).values()))


async def until_carried(at: Opened, positions: list[int]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not set(positions) <= (await trail(at)).keys():
            await asyncio.sleep(LOOK)


async def until_shared(at: Opened, wanted: dict[str, int]) -> None:
    async with asyncio.timeout(PATIENCE):
        while await shares(at) != wanted:
            await asyncio.sleep(LOOK)


STOPS = of("unit") if SCALE > 1 else ["unit:in-handler", "unit:after-advance", "unit:commit-sent"]


@pytest.mark.parametrize("point", STOPS)
async def test_what_a_stopped_owner_commits_late_is_refused(at: Opened, postgres_url: str, point: str) -> None:
    said = await say(at, "first")
    async with owner(postgres_url, "stopped", point=point) as stopped:
        await stopped.until_stopped()
        async with owner(postgres_url, "other"):
            await until_carried(at, said)
            said += await say(at, "second")
            await until_carried(at, said)
            stopped.send(signal.SIGCONT)
            await until_shared(at, {"other": 8, "stopped": 8})
            said += await say(at, "third")
            await until_carried(at, said)
    assert await trail(at) == Counter(said)


@pytest.mark.parametrize("point", ["unit:read", "unit:after-handlers"])
async def test_a_late_commit_is_refused_though_the_checkpoint_stands_where_it_stood(
    at: Opened, postgres_url: str, point: str
) -> None:
    said = await say(at, "first")
    async with owner(postgres_url, "stopped", point=point, idle=600) as stopped:
        await stopped.until_stopped()
        async with owner(postgres_url, "other", seconds=600, point="unit:in-handler", idle=600) as other:
            await other.until_stopped()
            assert await shares(at) == {"other": 16}
            stopped.send(signal.SIGCONT)
            assert await stopped.line() == f"{CONSUMER} tries again: {lease_lost(CONSUMER)}"
            assert await trail(at) == Counter()
            other.send(signal.SIGCONT)
            await until_carried(at, said)
    assert await trail(at) == Counter(said)
    assert await owners_in_trail(at) == {"other"}


@pytest.mark.parametrize("point", of("unit"))
async def test_a_kill_in_a_unit_leaves_all_of_it_or_nothing(at: Opened, postgres_url: str, point: str) -> None:
    said = await say(at, "first")
    async with owner(postgres_url, "", point=point, which="SIGKILL") as killed:
        assert (await killed.ended()).was_killed
    said += await say(at, "second")
    async with owner(postgres_url, ""):
        await until_carried(at, said)
    assert await trail(at) == Counter(said)


async def test_the_partitions_of_a_killed_owner_move_when_its_leases_end(at: Opened, postgres_url: str) -> None:
    seconds = TTL.total_seconds()
    async with owner(postgres_url, "killed", seconds=seconds) as killed:
        await until_shared(at, {"killed": 16})
        async with owner(postgres_url, "other", seconds=seconds):
            await until_shared(at, {"killed": 8, "other": 8})
            killed.send(signal.SIGKILL)
            said = await say(at, "first")
            async with asyncio.timeout(10):
                await until_carried(at, said)
    assert await trail(at) == Counter(said)


async def test_the_partitions_of_an_owner_that_leaves_move_at_once(at: Opened, postgres_url: str) -> None:
    async with owner(postgres_url, "other", seconds=600):
        await until_shared(at, {"other": 16})
        async with owner(postgres_url, "leaving", seconds=600):
            await until_shared(at, {"leaving": 8, "other": 8})
        await until_shared(at, {"other": 16})
        said = await say(at, "first")
        await until_carried(at, said)
    assert await trail(at) == Counter(said)


async def test_partitions_spread_evenly_over_all_who_come(at: Opened, postgres_url: str) -> None:
    async with owner(postgres_url, "a"), owner(postgres_url, "b"), owner(postgres_url, "c"):
        await until_shared(at, {"a": 6, "b": 5, "c": 5})
        said = await say(at, "first")
        await until_carried(at, said)
    assert await trail(at) == Counter(said)
