"""Who claims passes over the endpoints that somebody else is just claiming for: it neither waits nor takes twice."""

from __future__ import annotations

import asyncio

import asyncpg

from tests.unit.backends.postgres.room import opened
from tidings.backends.postgres.scripts import run
from tidings.conformance.endpoint_samples import deliver, endpoint, keep, sent, take
from tidings.store.scripts import claiming, keeping

CLAIMERS = 4
STALLED_SECONDS = 10
"""Whoever waits for the held endpoint waits for the end of this test."""


async def test_claimers_pass_over_the_endpoint_of_one_who_is_still_at_it(postgres_url: str) -> None:
    async with opened(postgres_url) as at:
        await keep(at.store, endpoint("a"), endpoint("b", slots=8, reserved=0))
        await deliver(at.store, *(sent(n, "a") for n in range(1, 3)))
        holder = await asyncpg.connect(postgres_url)
        try:
            async with holder.transaction():
                now = await run(holder, keeping.now_of(None))
                assert [each.id for each in await run(holder, claiming.due_endpoints(now=now))] == ["a"]
                await deliver(at.store, *(sent(n, "b") for n in range(1, 5)))
                owners = [f"owner {n}" for n in range(CLAIMERS)]
                async with asyncio.timeout(STALLED_SECONDS):
                    found = await asyncio.gather(*(take(at.store, owner=owner) for owner in owners))
            taken = [(each.delivery.endpoint, each.delivery.position) for claimed in found for each in claimed]
            assert sorted(taken) == [("b", n) for n in range(1, 5)]
            assert {each.delivery.endpoint for each in await take(at.store)} == {"a"}
        finally:
            await holder.close()
