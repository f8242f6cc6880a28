"""A process that is stopped in the middle of a COPY on PostgreSQL holds locks, but nobody up for long."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.crash.postgres_copier import APPENDED, LEASE, MADE, TABLE, VIEW
from tests.crash.postgres_owner import KEPT, Opened, opened
from tests.crash.processes import PATIENCE, Child, begin
from tidings.backends.postgres import halted
from tidings.conformance.samples import event
from tidings.ports import Ports
from tidings.store.claims import Claim

LOOK = 0.05


@pytest.fixture
async def at(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opened]:
    monkeypatch.setattr(halted, "HELD_SECONDS", 0.5)
    monkeypatch.setattr(halted, "APART_SECONDS", 1.0)
    async with opened(postgres_url, Ports()) as room:
        yield room


@asynccontextmanager
async def stopped(work: str, url: str) -> AsyncIterator[Child]:
    """Have a process stop in the middle of its work; on leaving it goes on and ends."""
    child = await begin("tests.crash.postgres_copier", work, url)
    try:
        await child.until_stopped()
        yield child
    finally:
        with suppress(ProcessLookupError):
            child.send(signal.SIGCONT)
        ended = await child.ended()
    assert ended.code == 0, ended.errors[-4000:]


async def ids(at: Opened) -> list[str]:
    return [entry.envelope.id for entry in (await at.log.read(after=0, limit=1_000)).entries]


async def test_readers_go_on_though_a_process_stands_still_in_the_middle_of_its_append(
    at: Opened, postgres_url: str
) -> None:
    async with stopped("append", postgres_url) as writer:
        await at.log.append([event("behind")])
        async with asyncio.timeout(PATIENCE):
            while await ids(at) != ["behind"]:
                await asyncio.sleep(LOOK)
        writer.send(signal.SIGCONT)
        told = await writer.line()
    assert told in (KEPT, "LogUnavailableError")
    late = (await ids(at))[1:]  # of what it was not told that it is kept, all may be there or nothing
    assert late == [each.id for each in APPENDED] or (not late and told != KEPT)


async def taken_over(at: Opened) -> list[Claim]:
    async with asyncio.timeout(PATIENCE):
        while True:
            claims = await at.store.claim(TABLE.consumer, owner="other", want=16, ttl=LEASE * 100)
            if claims:
                return list(claims)
            await asyncio.sleep(LOOK)


async def renew(at: Opened, claims: list[Claim]) -> None:
    """Renew as whoever carries entries does, beside the work."""
    while True:
        await at.store.renew(claims, ttl=LEASE * 100)
        await asyncio.sleep(LOOK)


async def test_who_takes_partitions_over_goes_on_though_their_owner_stands_still_in_the_middle_of_new_rows(
    at: Opened, postgres_url: str
) -> None:
    await at.store.create_view(VIEW.record(1, "current"))
    await at.store.register(TABLE.consumer, partitions=16, start=0)
    async with stopped("view", postgres_url) as owner:
        claims = await taken_over(at)
        renewing = asyncio.create_task(renew(at, claims))
        async with asyncio.timeout(PATIENCE), at.store.unit(*claims) as unit:
            await unit.rows(TABLE, [each.values for each in MADE])
            await unit.replace(TABLE, MADE)
        renewing.cancel()
        owner.send(signal.SIGCONT)
        assert await owner.line() == "StoreUnavailableError"
    assert list(await at.store.every(TABLE, after=None, limit=1_000)) == sorted(MADE, key=lambda each: each.values)
