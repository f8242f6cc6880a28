"""Chapter "claiming for endpoints": never more than there are slots, never twice, and nobody waits for the slow."""

from __future__ import annotations

import asyncio

from tidings.conformance.endpoint_samples import (
    DELIVERED,
    again,
    condition,
    deliver,
    endpoint,
    faring,
    keep,
    positions,
    sent,
    settle,
    states,
    take,
)
from tidings.conformance.store_harness import START_US, StoreHarness
from tidings.conformance.store_samples import OTHER, SOON, TTL, undone
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Claiming


class ClaimingForEndpoints:
    """A mixin of `StoreSuite`."""

    async def test_what_is_delivered_is_claimed_as_it_was_added(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        given = sent(7, subject="a", pin=3, expires=SOON, run="r")
        assert await deliver(store, given) == 1
        [claim] = await store.claim_endpoint_deliveries(Claiming(owner="o", limit=9, late=9), ttl=TTL)
        assert (await store.endpoint("e") or endpoint()).config == claim.endpoint.config
        [claimed] = claim.deliveries
        assert claimed.delivery == given
        assert (claimed.attempt, claimed.body_hash, claimed.batch) == (1, None, None)
        seen = await store.delivery("e:7:r") or {}
        told = {name: seen[name] for name in ("endpoint", "position", "run", "subject", "type", "pin", "service")}
        assert told == {
            "endpoint": "e",
            "position": 7,
            "run": "r",
            "subject": "a",
            "type": "said",
            "pin": 3,
            "service": None,
        }

    async def test_an_entry_is_delivered_once_to_an_endpoint_in_a_run(self, store: StoreDriver) -> None:
        await keep(store, endpoint(), endpoint("f"))
        assert await deliver(store, sent(1), sent(1), sent(1, "f"), sent(1, run="r")) == 3
        assert await deliver(store, sent(1), sent(2)) == 1

    async def test_entries_from_before_an_endpoint_are_replayed_at_most(self, store: StoreDriver) -> None:
        await keep(store, endpoint(starts_after=5))
        assert await deliver(store, sent(5), sent(6), sent(3, run="r")) == 2
        assert sorted(await states(store)) == [3, 6]

    async def test_what_is_rolled_back_is_never_sent(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        async with undone(store.unit()) as unit:
            await unit.deliver([sent(1)])
        assert await take(store) == []

    async def test_many_are_added_at_once_and_claimed_oldest_first(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=2_000, reserved=0))
        assert await deliver(store, *(sent(n) for n in range(1, 601))) == 600
        assert positions(await take(store, limit=250)) == list(range(1, 251))
        assert positions(await take(store, limit=1_000)) == list(range(251, 601))

    async def test_an_endpoint_has_no_more_on_their_way_than_slots(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=3), endpoint("f", slots=1))
        await deliver(store, *(sent(n, to) for n in range(1, 6) for to in "ef"))
        first = await take(store)
        assert sorted((each.delivery.endpoint, each.delivery.position) for each in first) == [
            ("e", 1),
            ("e", 2),
            ("e", 3),
            ("f", 1),
        ]
        assert await take(store, owner=OTHER) == []
        await settle(store, next(each for each in first if each.delivery.endpoint == "f"))
        assert [(each.delivery.endpoint, each.delivery.position) for each in await take(store)] == [("f", 2)]

    async def test_a_slot_is_kept_for_first_attempts(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(slots=3, reserved=1))
        await deliver(store, *(sent(n) for n in (1, 2, 3)))
        for each in await take(store):
            await settle(store, each, again(SOON))
        harness.clock.move(1)
        assert positions(await take(store)) == [1, 2]
        await deliver(store, sent(4), sent(5))
        assert positions(await take(store)) == [4]

    async def test_nothing_is_kept_where_there_is_one_slot(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(slots=1, reserved=1))
        await deliver(store, sent(1))
        [claimed] = await take(store)
        await settle(store, claimed, again(SOON))
        harness.clock.move(1)
        assert positions(await take(store)) == [1]

    async def test_a_process_takes_no_more_than_it_has_room_for_nor_more_retries(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, *(endpoint(id, slots=4, reserved=0) for id in "ef"))
        await deliver(store, *(sent(n, to) for n in (1, 2, 3) for to in "ef"))
        for each in await take(store):
            await settle(store, each, again(SOON))
        harness.clock.move(1)
        assert len(await take(store, limit=4, late=3)) == 3
        await deliver(store, *(sent(n, to) for n in (4, 5) for to in "ef"))
        assert len(await take(store, limit=2, late=0)) == 2

    async def test_a_degraded_endpoint_and_a_slowed_one_have_fewer_slots(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint(slots=4))
        await deliver(store, *(sent(n) for n in range(1, 9)))
        for each in await take(store):
            await store.settle_endpoint_deliveries([each], faring(DELIVERED, slowed_until=SOON))
        two = await take(store)
        assert positions(two) == [5, 6]
        await store.settle_endpoint_deliveries([two[0]], faring(DELIVERED, state="degraded", why="failing"))
        assert await take(store) == []
        await store.settle_endpoint_deliveries([two[1]], faring(DELIVERED))
        assert positions(await take(store)) == [7]
        assert (await condition(store)).state == "degraded"

    async def test_waiting_for_a_probe_spends_no_attempt(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1), sent(2))
        first, second = await take(store)
        await settle(store, second)
        await store.settle_endpoint_deliveries([first], faring(again(START_US), not_before=SOON))
        assert await take(store) == []
        assert await store.next_endpoint_delivery() == SOON
        harness.clock.move(1)
        [claimed] = await take(store)
        assert (claimed.delivery.position, claimed.attempt) == (1, 2)

    async def test_a_rate_is_kept_by_all_owners_together_and_spends_no_attempt(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint(slots=50, reserved=0, rate=120))
        await deliver(store, *(sent(n) for n in range(1, 9)))
        assert positions(await take(store)) == [1, 2]
        assert await take(store, owner=OTHER) == []
        due = await store.next_endpoint_delivery()
        assert due is not None
        assert START_US < due <= START_US + 500_001
        harness.clock.move(0.5)
        assert positions(await take(store, owner=OTHER)) == [3]
        harness.clock.move(60)
        assert [(each.delivery.position, each.attempt) for each in await take(store)] == [(4, 1), (5, 1)]

    async def test_failing_endpoint_does_not_slow_others(self, store: StoreDriver) -> None:
        await keep(store, *(endpoint(id, slots=1) for id in "abc"))
        await deliver(store, *(sent(n, to) for n in range(1, 41) for to in "abc"))
        stuck = await take(store, limit=1)
        assert [each.delivery.endpoint for each in stuck] == ["a"]
        for n in range(1, 21):
            others = await take(store, limit=2)
            assert [(each.delivery.endpoint, each.delivery.position) for each in others] == [("b", n), ("c", n)]
            for each in others:
                await settle(store, each)

    async def test_endpoints_take_turns(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, *(endpoint(f"e{n:03}", slots=1) for n in range(150)))
        await deliver(store, *(sent(1, f"e{n:03}") for n in range(150)))
        turns = []
        for _ in range(3):
            harness.clock.move(0.001)
            claimed = await take(store, limit=75)
            turns += [each.delivery.endpoint for each in claimed]
        assert sorted(turns) == [f"e{n:03}" for n in range(150)]

    async def test_saturated_endpoint_causes_no_spin(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(slots=1))
        await deliver(store, sent(1), sent(2))
        [claimed] = await take(store)
        assert await store.next_endpoint_delivery() == START_US + round(TTL.total_seconds() * 1_000_000)
        before = await store.endpoint("e")
        harness.clock.move(0.001)
        assert await take(store) == []
        assert await store.endpoint("e") == before
        await settle(store, claimed)
        assert (await store.next_endpoint_delivery() or 0) <= harness.clock.now_us()

    async def test_retries_that_wait_for_a_slot_of_their_own_cause_no_spin(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint(slots=2, reserved=1))
        await deliver(store, sent(1), sent(2))
        for each in await take(store):
            await settle(store, each, again(START_US))
        assert len(await take(store)) == 1
        assert await take(store) == []
        assert await store.next_endpoint_delivery() == START_US + round(TTL.total_seconds() * 1_000_000)

    async def test_next_attempt_in_the_past_is_picked_up(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        [claimed] = await take(store)
        await settle(store, claimed, again(START_US - 10_000_000))
        assert positions(await take(store)) == [1]
        harness.clock.move(10_000_000)
        assert await store.next_endpoint_delivery() is not None

    async def test_claimers_at_once_never_exceed_the_slots_and_never_claim_twice(self, store: StoreDriver) -> None:
        await keep(store, *(endpoint(id, slots=3) for id in "abcd"))
        await deliver(store, *(sent(n, to) for n in range(1, 41) for to in "abcd"))
        seen: list[tuple[str, int]] = []
        flying = dict.fromkeys("abcd", 0)

        async def claimer(owner: str) -> None:
            idle = 0
            while idle < 3:
                claimed = await take(store, owner=owner, limit=5)
                idle = 0 if claimed else idle + 1
                for each in claimed:
                    flying[each.delivery.endpoint] += 1
                    seen.append((each.delivery.endpoint, each.delivery.position))
                assert max(flying.values()) <= 3
                for each in claimed:
                    flying[each.delivery.endpoint] -= 1
                    await settle(store, each)

        await asyncio.gather(*(claimer(f"o{n}") for n in range(6)))
        while claimed := await take(store):
            for each in claimed:
                seen.append((each.delivery.endpoint, each.delivery.position))
                await settle(store, each)
        assert sorted(seen) == [(to, n) for to in "abcd" for n in range(1, 41)]
