"""Chapter "endpoints between processes": what several dispatchers on one store keep to, and what outlives them."""

from __future__ import annotations

import asyncio

from tidings.conformance.endpoint_samples import (
    DEAD,
    deliver,
    endpoint,
    keep,
    positions,
    sent,
    settle,
    states,
    take,
)
from tidings.conformance.store_harness import START_US, SharedStoreHarness
from tidings.conformance.store_samples import OTHER, OWNER, TTL
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import EndpointDelivery


class SharingEndpoints:
    """A mixin of `SharedStoreSuite`."""

    async def test_store_restart_leaves_no_delivery_stuck(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        await keep(store, endpoint(ordering="key", slots=3, rate=600))
        await deliver(store, *(sent(n, subject="ab"[n % 2]) for n in range(1, 7)))
        first, second = await take(store)
        await settle(store, first)
        before = await states(store, "next_at", "attempts")
        await store.close()
        again = await harness.reopen()
        assert await states(again, "next_at", "attempts") == before
        assert positions(await take(again)) == [3]
        harness.clock.move(TTL.total_seconds())
        assert positions(await take(again)) == [2, 3]
        assert second.delivery.position == 2

    async def test_dispatchers_on_one_store_keep_to_the_slots_together(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        await keep(store, *(endpoint(id, slots=2, reserved=0) for id in "ab"))
        await deliver(store, *(sent(n, to) for n in range(1, 16) for to in "ab"))
        found: list[tuple[str, int]] = []
        while len(found) < 30:
            both = await asyncio.gather(take(store, owner=OWNER), take(other, owner=OTHER), take(store, owner=OTHER))
            turn = [each for claimed in both for each in claimed]
            for id in "ab":
                assert sum(each.delivery.endpoint == id for each in turn) <= 2
            await asyncio.gather(*(settle(other, each) for each in turn))
            found += [(each.delivery.endpoint, each.delivery.position) for each in turn]
        assert sorted(found) == [(to, n) for to in "ab" for n in range(1, 16)]

    async def test_who_delivers_and_who_pauses_at_once_leave_nothing_on_its_way(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        await keep(store, endpoint())
        await asyncio.gather(
            *(deliver(store, sent(n)) for n in range(1, 9)),
            other.pause_endpoint("e", at=START_US, why="by hand"),
            *(deliver(other, sent(n)) for n in range(9, 17)),
        )
        assert await states(store) == dict.fromkeys(range(1, 17), "held")

    async def test_what_ends_and_what_comes_at_once_leaves_a_head_in_each_line(
        self, store: StoreDriver, harness: SharedStoreHarness
    ) -> None:
        other = await harness.reopen()
        await keep(store, endpoint(ordering="key"))
        for n in range(1, 20, 2):
            await deliver(store, self.about(n))
            [claimed] = await take(store)
            await asyncio.gather(settle(store, claimed), deliver(other, self.about(n + 1)))
            [claimed] = await take(store)
            assert claimed.delivery.position == n + 1
            await settle(other, claimed)

    @staticmethod
    def about(n: int) -> EndpointDelivery:
        return sent(n, subject="a")

    async def test_second_manual_retry_is_not_swallowed(self, store: StoreDriver, harness: SharedStoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        for _ in range(3):
            [claimed] = await take(store)
            assert claimed.attempt == 1
            await settle(store, claimed, DEAD)
            await store.retry_delivery("e:1", at=harness.clock.now_us())
        assert [each.outcome for each in await store.attempts("e:1")] == ["http-500"] * 3
