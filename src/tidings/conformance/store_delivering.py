"""Chapter "delivering": calls are written down first, claimed with their attempt, and settled by who made them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_samples import OTHER, OWNER, SOON, TTL, delivery, reason, undone
from tidings.errors import CheckpointMovedError, NotFoundError, RefusedError
from tidings.store.deliveries import ClaimedDelivery, Delivery
from tidings.store.driver import StoreDriver
from tidings.store.reason import Reason


async def intend(store: StoreDriver, *deliveries: Delivery) -> None:
    async with store.unit() as unit:
        await unit.intend(deliveries)


async def claim(
    store: StoreDriver, *, owner: str = OWNER, limit: int = 100, services: Sequence[str] = ("shop",)
) -> Sequence[ClaimedDelivery]:
    return await store.claim_deliveries(owner=owner, services=services, limit=limit, ttl=TTL)


def keys(claimed: Sequence[ClaimedDelivery]) -> list[str]:
    return [each.delivery.key for each in claimed]


class Delivering:
    """A mixin of `StoreSuite`."""

    async def test_a_delivery_comes_back_as_it_was_intended(self, store: StoreDriver) -> None:
        given = delivery("a", order="customer/1")
        await intend(store, given)
        [claimed] = await claim(store)
        assert claimed.delivery == given
        assert claimed.attempt == 1
        [seen] = await store.deliveries()
        assert {name: seen[name] for name in ("key", "service", "function", "state", "attempts", "error")} == {
            "key": "a",
            "service": "shop",
            "function": "shop.mail",
            "state": "leased",
            "attempts": 1,
            "error": None,
        }

    async def test_a_key_is_intended_once_for_ever(self, store: StoreDriver) -> None:
        await intend(store, delivery("a"), delivery("a"), delivery("b"))
        [first, _] = await claim(store)
        await store.settle_delivery(first, None)
        await intend(store, delivery("a"))
        assert [(each["key"], each["state"]) for each in await store.deliveries()] == [
            ("a", "delivered"),
            ("b", "leased"),
        ]
        assert list(await claim(store)) == []

    async def test_it_is_known_which_deliveries_are_not_closed(self, store: StoreDriver) -> None:
        await intend(store, *(delivery(key) for key in ("a", "b", "c")))
        [first, second] = await claim(store, limit=2)
        await store.settle_delivery(first, None)
        async with store.unit() as unit:
            assert await unit.open_deliveries(["a", "b", "c", "d"]) == {"b", "c"}
            await unit.intend([delivery("d")])
            assert await unit.open_deliveries(["d"]) == {"d"}
            assert await unit.open_deliveries([]) == frozenset()
        await store.settle_delivery(second, reason(next_at=None))
        async with store.unit() as unit:
            assert await unit.open_deliveries([f"{n}" for n in range(300)] + ["b", "c", "d"]) == {"c", "d"}

    async def test_many_are_intended_and_claimed_oldest_first(self, store: StoreDriver) -> None:
        wanted = [f"{n:04}" for n in range(600)]
        await intend(store, *(delivery(key) for key in wanted))
        assert keys(await claim(store, limit=250)) == wanted[:250]
        assert keys(await claim(store, limit=1_000)) == wanted[250:]

    async def test_what_is_rolled_back_is_never_called(self, store: StoreDriver) -> None:
        async with undone(store.unit()) as unit:
            await unit.intend([delivery("a")])
        assert list(await claim(store)) == []

    async def test_services_claim_their_own(self, store: StoreDriver) -> None:
        await intend(store, delivery("a"), delivery("b", service="bank"), delivery("c"))
        assert keys(await claim(store, services=("bank",))) == ["b"]
        assert list(await claim(store, services=())) == []
        assert keys(await claim(store, services=("bank", "shop", "nobody"))) == ["a", "c"]

    async def test_a_claimed_delivery_is_nobody_elses(self, store: StoreDriver) -> None:
        await intend(store, delivery("a"))
        assert keys(await claim(store)) == ["a"]
        assert list(await claim(store, owner=OTHER)) == []

    async def test_a_claim_that_ran_out_has_spent_its_attempt(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"))
        [first] = await claim(store)
        harness.clock.move(TTL.total_seconds())
        [second] = await claim(store, owner=OTHER)
        assert (first.attempt, second.attempt) == (1, 2)
        with pytest.raises(CheckpointMovedError):
            await store.settle_delivery(first, None)
        await store.settle_delivery(second, None)
        assert [each["state"] for each in await store.deliveries()] == ["delivered"]

    async def test_what_a_dead_process_claimed_is_due_at_once(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"))
        await claim(store, owner=harness.owner_that_is_gone())
        [again] = await claim(store)
        assert again.attempt == 2

    async def test_a_result_is_written_once(self, store: StoreDriver) -> None:
        await intend(store, delivery("a"))
        [claimed] = await claim(store)
        await store.settle_delivery(claimed, None)
        with pytest.raises(CheckpointMovedError):
            await store.settle_delivery(claimed, reason(SOON))
        assert [each["state"] for each in await store.deliveries()] == ["delivered"]

    async def test_a_failed_call_is_due_again_at_its_time(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"))
        [claimed] = await claim(store)
        await store.settle_delivery(claimed, reason(SOON, error="timed out"))
        assert await store.next_due() == SOON
        assert list(await claim(store)) == []
        [seen] = await store.deliveries("due")
        assert (seen["next_at"], seen["error"]) == (SOON, "timed out")
        harness.clock.move(1)
        [again] = await claim(store)
        assert again.attempt == 2

    async def test_attempts_whose_result_was_written_are_counted_apart_from_those_that_died(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await intend(store, delivery("a"))
        counts: list[tuple[int, int]] = []
        for dies in (True, False, True, True, False):
            [claimed] = await claim(store)
            counts.append((claimed.failed, claimed.died))
            if not dies:
                await store.settle_delivery(claimed, reason(harness.clock.now_us()))
            harness.clock.move(TTL.total_seconds())
        assert counts == [(0, 0), (0, 1), (1, 1), (1, 2), (1, 3)]
        [last] = await claim(store)
        assert (last.attempt, last.failed, last.died) == (6, 2, 3)

    async def test_a_call_that_is_given_up_is_dead(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"), delivery("b"))
        [first, second] = await claim(store)
        await store.settle_delivery(first, Reason(kind="process-died", error="refused", next_at=None))
        await store.settle_delivery(second, None)
        harness.clock.move(1_000)
        assert list(await claim(store)) == []
        assert await store.next_due() is None
        [dead] = await store.deliveries("dead")
        assert (dead["key"], dead["reason"], dead["error"]) == ("a", "process-died", "refused")
        assert [each["key"] for each in await store.deliveries("delivered")] == ["b"]
        assert await store.deliveries("due") == []
        assert len(await store.deliveries(limit=1)) == 1

    async def test_a_dead_call_that_is_retried_begins_anew(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"))
        [claimed] = await claim(store)
        await store.settle_delivery(claimed, reason(None))
        await store.retry_delivery("a", at=harness.clock.now_us())
        [again] = await claim(store)
        assert (again.delivery, again.attempt, again.failed) == (delivery("a"), 1, 0)
        assert again.epoch > claimed.epoch

    async def test_a_call_that_is_due_later_is_due_when_it_is_retried_and_keeps_its_count(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        now = harness.clock.now_us()
        await intend(store, delivery("a"))
        [claimed] = await claim(store)
        await store.settle_delivery(claimed, reason(SOON))
        await store.retry_delivery("a", at=now)
        await store.retry_delivery("a", at=SOON)  # never later than it was
        assert await store.next_due() == now
        [again] = await claim(store)
        assert (again.attempt, again.failed) == (2, 1)

    async def test_no_call_is_retried_that_is_under_way_or_closed(self, store: StoreDriver) -> None:
        with pytest.raises(NotFoundError, match="there is no delivery"):
            await store.retry_delivery("a", at=0)
        await intend(store, delivery("a"))
        [claimed] = await claim(store)
        with pytest.raises(RefusedError, match="is leased: it is being called now"):
            await store.retry_delivery("a", at=0)
        await store.settle_delivery(claimed, None)
        with pytest.raises(RefusedError, match="is delivered: there is nothing to retry"):
            await store.retry_delivery("a", at=0)

    async def test_deliveries_of_one_order_are_made_one_after_the_other(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await intend(store, *(delivery(f"{who}{n}", order=who) for n in (1, 2) for who in ("a", "b")), delivery("free"))
        first = await claim(store)
        assert keys(first) == ["a1", "b1", "free"]
        assert list(await claim(store, owner=OTHER)) == []
        await store.settle_delivery(first[0], None)
        await store.settle_delivery(first[1], reason(SOON))
        assert keys(await claim(store)) == ["a2"]
        harness.clock.move(1)
        [again] = await claim(store)
        await store.settle_delivery(again, reason(None))
        assert keys(await claim(store)) == ["b2"]

    async def test_one_order_value_of_two_services_is_two_orders(self, store: StoreDriver) -> None:
        await intend(store, delivery("a", order="x"), delivery("b", service="bank", order="x"))
        assert keys(await claim(store, services=("shop", "bank"))) == ["a", "b"]

    async def test_the_next_due_of_retries_and_deliveries_is_the_earlier_one(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        assert await store.next_due() is None
        await intend(store, delivery("a"))
        assert await store.next_due() == harness.clock.now_us()
