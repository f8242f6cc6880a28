"""Chapter "again for endpoints": recovered, replayed, swept and pruned, a chunk at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tidings.conformance.endpoint_samples import (
    DEAD,
    DELIVERED,
    deliver,
    endpoint,
    keep,
    positions,
    sent,
    settle,
    states,
    take,
)
from tidings.conformance.store_harness import START_US, StoreHarness
from tidings.conformance.store_samples import SOON
from tidings.errors import NotFoundError
from tidings.store.deliveries import DeliveryFilter
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Page, Range

MONTH = timedelta(days=30)
HASHED = replace(DELIVERED, body_hash=b"h" * 32)


async def all_dead(store: StoreDriver, count: int) -> None:
    await deliver(store, *(sent(n) for n in range(1, count + 1)))
    for each in await take(store, limit=count):
        await settle(store, each, DEAD)


class RepeatingForEndpoints:
    """A mixin of `StoreSuite`."""

    async def test_recover_skips_nothing_between_pages(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=500, reserved=0))
        await all_dead(store, 250)
        within = Range(after=10, to=240)
        assert await store.count_dead("e", within) == 230
        found, last = 0, [10]
        while last:
            page = await store.recover_endpoint("e", Range(after=last[0], to=240), at=START_US, limit=100)
            found += page.count
            last = [] if page.last is None else [page.last]
        assert found == 230
        assert sorted(positions(await take(store, limit=500))) == list(range(11, 241))
        assert await store.count_dead("e", Range(after=0, to=1_000)) == 20
        with pytest.raises(NotFoundError):
            await store.recover_endpoint("f", within, at=START_US)

    async def test_what_is_recovered_keeps_the_order_of_its_subjects(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, *(sent(n, subject="ab"[n % 2]) for n in range(1, 7)))
        for each in await take(store):
            await settle(store, each, DEAD)
        page = await store.recover_endpoint("e", Range(after=1, to=5), at=START_US)
        assert page == Page(count=2, last=None)
        assert await states(store) == {1: "dead", 2: "due", 3: "dead", 4: "behind", 5: "dead", 6: "dead"}

    async def test_a_replay_adds_what_is_missing_once(self, store: StoreDriver) -> None:
        await keep(store, endpoint(starts_after=2))
        await deliver(store, sent(3), sent(4))
        first, second = await take(store)
        await settle(store, first)
        await settle(store, second, DEAD)
        asked = [sent(n, run="op") for n in (1, 2, 3, 4)]
        assert await store.delivered("e", [1, 3, 4]) == {3}
        assert await store.add_replayed(asked[:3], missing_only=True) == 2
        assert await store.add_replayed(asked, missing_only=True) == 1
        assert await store.add_replayed(asked, missing_only=False) == 1
        assert sorted(positions(await take(store))) == [1, 2, 3, 4]
        with pytest.raises(NotFoundError):
            await store.add_replayed([sent(1, "f", run="op")], missing_only=True)

    async def test_what_went_to_an_endpoint_that_had_the_id_before_is_missing(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1), sent(2))
        for each in await take(store):
            await settle(store, each)
        last = max(each.closed for each in (await store.closed_deliveries("e", since=0)).deliveries)
        await store.remove_endpoint("e", at=START_US)
        await keep(store, replace(endpoint(), created=last + 1))
        assert await store.delivered("e", [1, 2]) == frozenset()
        assert await store.add_replayed([sent(n, run="op") for n in (1, 2)], missing_only=True) == 2
        harness.clock.move(1)
        [first, _] = await take(store)
        await settle(store, first)
        assert await store.add_replayed([sent(n, run="op-2") for n in (1, 2)], missing_only=True) == 1

    async def test_what_was_held_too_long_is_dead(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        await store.pause_endpoint("e", at=START_US, why="by hand")
        harness.clock.move(MONTH.total_seconds() / 2)
        await deliver(store, sent(2))
        harness.clock.move(MONTH.total_seconds() / 2)
        assert (await store.sweep_endpoint_deliveries(stale=MONTH)).stale == 0
        harness.clock.move(1)
        assert (await store.sweep_endpoint_deliveries(stale=MONTH)).stale == 1
        assert await states(store, "reason") == {1: ("dead", "held-too-long"), 2: ("held", None)}

    async def test_what_is_past_its_time_is_never_sent(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(ordering="key", slots=1))
        await deliver(store, sent(1, subject="a", expires=SOON), sent(2, subject="a"), sent(3, expires=SOON + 1))
        harness.clock.move(1)
        assert (await store.sweep_endpoint_deliveries(stale=MONTH)).expired == 1
        assert await states(store) == {1: "expired", 2: "due", 3: "due"}

    async def test_a_lease_that_ran_out_is_closed_by_a_sweep_too(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        await take(store)
        harness.clock.move(10_000)
        assert (await store.sweep_endpoint_deliveries(stale=MONTH)).lost == 1
        assert await states(store) == {1: "due"}
        assert [each.outcome for each in await store.attempts("e:1")] == ["lost"]

    async def test_a_pause_reaches_a_thousand_at_once_and_the_others_soon_after(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=3_000, reserved=0))
        await deliver(store, *(sent(n) for n in range(1, 2_501)))
        await store.pause_endpoint("e", at=START_US, why="by hand")
        assert await take(store) == []
        arranged = [await store.arrange_endpoint_deliveries() for _ in range(3)]
        assert arranged == [1_000, 500, 0]
        assert set((await states(store)).values()) == {"held"}
        await store.resume_endpoint("e", at=START_US)
        arranged = [await store.arrange_endpoint_deliveries() for _ in range(3)]
        assert arranged == [1_000, 500, 0]
        assert positions(await take(store, limit=3_000)) == list(range(1, 2_501))

    async def test_pruning_is_chunked_and_reports_what_it_deleted(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint(slots=50, reserved=0))
        await deliver(store, *(sent(n) for n in range(1, 31)))
        for each in await take(store):
            await settle(store, each, DEAD if each.delivery.position == 30 else DELIVERED)
        harness.clock.move(1)
        now = harness.clock.now_us()
        assert [await store.forget_attempts(closed=now, keep=1_000, limit=20) for _ in range(3)] == [20, 10, 0]
        assert [await store.forget_deliveries(closed=now, limit=20) for _ in range(3)] == [20, 9, 0]
        assert await states(store) == {30: "dead"}

    async def test_deliveries_are_found_by_endpoint_type_and_subject(self, store: StoreDriver) -> None:
        await keep(store, *map(endpoint, "ef"))
        await deliver(store, sent(1, subject="a"), sent(2, "f", subject="b"))

        async def found(where: DeliveryFilter) -> list[str]:
            return [each["key"] for each in await store.deliveries(where=where)]

        assert await found(DeliveryFilter(endpoint="e")) == ["e:1"]
        assert await found(DeliveryFilter(subject="b", type="said")) == ["f:2"]
        assert await found(DeliveryFilter(type="other")) == []

    async def test_what_has_closed_is_told_in_that_order(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=500, reserved=0), endpoint("f"))
        await deliver(store, *(sent(n, expires=n) for n in range(1, 6)), sent(1, "f"))
        claimed = [each for each in await take(store) if each.delivery.endpoint == "e"]
        for each, result in zip(claimed, (DEAD, HASHED, DELIVERED), strict=False):
            await settle(store, each, result)
        await store.cancel_delivery("e:4", at=START_US)
        page = await store.closed_deliveries("e", since=0)
        told = {each.delivery.position: (each.state, each.body_hash) for each in page.deliveries}
        assert told == {
            1: ("dead", None),
            2: ("delivered", b"h" * 32),
            3: ("delivered", None),
            4: ("cancelled", None),
        }
        assert all(each.delivery.expires == each.delivery.position for each in page.deliveries)
        order = [(each.closed, each.n) for each in page.deliveries]
        assert order == sorted(order)
        assert page.at >= START_US
        first, *rest = page.deliveries
        behind = await store.closed_deliveries("e", since=first.closed, after=first.n, limit=2)
        assert behind.deliveries == rest[:2]

    async def test_a_dead_delivery_whose_receiver_has_it_is_delivered_and_its_subject_goes_on(
        self, store: StoreDriver
    ) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, *(sent(n, subject="a") for n in range(1, 4)))
        [first] = await take(store)
        await settle(store, first, DEAD)
        assert await states(store) == {1: "dead", 2: "dead", 3: "dead"}
        async with store.unit() as unit:
            assert await unit.acknowledge(sent(1))
        assert await states(store, "reason") == {1: ("delivered", "listed"), 2: ("due", None), 3: ("behind", None)}
        async with store.unit() as unit:
            assert not await unit.acknowledge(sent(2))
            assert not await unit.acknowledge(sent(9))
        assert (await states(store))[2] == "due"
