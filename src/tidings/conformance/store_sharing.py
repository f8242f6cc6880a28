"""What holds between processes that share a store, and after all of them have ended."""

from __future__ import annotations

import asyncio

from tidings.conformance.samples import event
from tidings.conformance.store_harness import SharedStoreHarness
from tidings.conformance.store_samples import (
    CONSUMER,
    FAILED,
    OTHER,
    OWNER,
    TTL,
    claimed,
    claimed_one,
    delivery,
    entry,
    made,
    park,
    position_of,
    refused,
    row,
    rows_in,
    table,
    waiting,
)
from tidings.errors import CheckpointMovedError
from tidings.store.driver import StoreDriver


async def seen(store: StoreDriver) -> list[object]:
    """Return what anyone may see of a store."""
    shown = [await store.checkpoints(CONSUMER), await store.parked(), await store.deliveries(), await store.views()]
    return [*shown, await store.audit(), await store.consumers(), await store.next_due()]


class SharingStores:
    """A mixin of `SharedStoreSuite`."""

    async def test_the_store_outlives_its_driver(self, store: StoreDriver, harness: SharedStoreHarness) -> None:
        claim, view = await claimed_one(store), await made(store, table(spans=True))
        async with store.unit(claim) as unit:
            await unit.replace(view, [row("a", 1)])
            await unit.join(view, [(("a",), 1)])
            await unit.park(CONSUMER, "subject/1", [entry(1)], FAILED)
            await unit.intend([delivery("call")])
            unit.advance(to=4)
        assert await store.begin_attempt(claim, 5) == 1
        before = await seen(store)
        await store.close()
        again = await harness.reopen()
        assert await seen(again) == before
        assert await rows_in(again, view) == [row("a", 1)]
        assert await waiting(again) == [1]
        assert await again.begin_attempt(claim, 5) == 2

    async def test_a_consumer_that_two_processes_register_at_once_is_one(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        await asyncio.gather(*(each.register(CONSUMER, partitions=4, start=0) for each in (store, other) * 5))
        assert len(await store.checkpoints(CONSUMER)) == 4

    async def test_a_view_that_two_processes_make_at_once_is_one(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        view = table()
        await asyncio.gather(*(made(each, view) for each in (store, other) * 3))
        assert len(await store.views()) == 1

    async def test_processes_that_claim_at_once_share_the_partitions(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        await store.register(CONSUMER, partitions=16, start=0)
        found = await asyncio.gather(
            *(
                driver.claim(CONSUMER, owner=f"{name} {n}", want=3, ttl=TTL)
                for n in range(4)
                for name, driver in ((OWNER, store), (OTHER, other))
            )
        )
        assert sorted(claim.part for claims in found for claim in claims) == list(range(16))

    async def test_an_owner_that_lost_its_lease_to_another_process_keeps_nothing(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        claims, view = await claimed(store), await made(store, table())
        harness.clock.move(9)
        [moved] = await other.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        assert moved.expired
        async with other.unit(moved) as unit:
            await unit.replace(view, [row("theirs", 1)])
            unit.advance(to=7)
        async with refused(CheckpointMovedError, store.unit(*claims)) as unit:
            await unit.replace(view, [row("ours", 1)])
            unit.emit([event("a")])
            unit.advance(to=9)
        assert await position_of(store) == 7
        assert await rows_in(store, view) == [row("theirs", 1)]

    async def test_units_of_two_processes_lose_no_update(self, store: StoreDriver, harness: SharedStoreHarness) -> None:
        other = await harness.reopen()
        view = await made(store, table())

        async def add(driver: StoreDriver) -> None:
            async with driver.unit() as unit:
                found = (await unit.rows(view, [("a",)])).get(("a",))
                await unit.replace(view, [row("a", found.values[1] + 1 if found else 1)])

        await asyncio.gather(*(add(driver) for driver in (store, other) * 10))
        assert [each.values for each in await rows_in(other, view)] == [("a", 20)]

    async def test_a_subject_that_one_process_parks_the_other_sees(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        await park(store, entry(1))
        async with other.unit() as unit:
            assert await unit.parked(CONSUMER, ["subject/1"]) == {"subject/1"}

    async def test_a_delivery_is_called_by_one_of_two_processes(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        async with store.unit() as unit:
            await unit.intend([delivery(f"{n:02}") for n in range(20)])
        found = await asyncio.gather(
            *(
                driver.claim_deliveries(owner=f"{n}", services=["shop"], limit=3, ttl=TTL)
                for n, driver in enumerate((store, other) * 4)
            )
        )
        assert sorted(each.delivery.key for claims in found for each in claims) == [f"{n:02}" for n in range(20)]
