"""Chapter "batches for endpoints": one name never stands for two sets of members, whatever becomes of one of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tidings.conformance.endpoint_samples import (
    DEAD,
    DELIVERED,
    again,
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
from tidings.conformance.store_samples import SOON
from tidings.errors import CheckpointMovedError
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Range


async def one_batch(store: StoreDriver, count: int) -> str:
    """Have so many sent in one batch and be dead of it; return its name."""
    await deliver(store, *(sent(n) for n in range(1, count + 1)))
    claimed = await take(store)
    [batch] = {each.batch for each in claimed}
    assert batch is not None
    await store.settle_endpoint_deliveries(claimed, lambda _: replace(DEAD, body_hash=b"h" * 32))
    return batch


class BatchesForEndpoints:
    """A mixin of `StoreSuite`."""

    async def test_members_of_a_dead_batch_that_are_retried_one_by_one_go_under_names_of_their_own(
        self, store: StoreDriver
    ) -> None:
        await keep(store, endpoint(batch=2))
        names = [await one_batch(store, 2)]
        for key in ("e:1", "e:2"):
            await store.retry_delivery(key, at=START_US)
            [claimed] = await take(store)
            assert (claimed.attempt, claimed.body_hash) == (1, None)
            names.append(claimed.batch or "")
            await settle(store, claimed)
        assert len(set(names)) == 3

    async def test_a_dead_batch_that_is_recovered_is_a_new_one_and_others_may_join(self, store: StoreDriver) -> None:
        await keep(store, endpoint(batch=3))
        before = await one_batch(store, 2)
        await deliver(store, sent(3))
        await store.recover_endpoint("e", Range(after=0, to=9), at=START_US)
        claimed = await take(store)
        assert positions(claimed) == [1, 2, 3]
        [batch] = {each.batch for each in claimed}
        assert batch != before

    async def test_those_that_were_dead_for_an_earlier_one_are_in_no_batch_once_it_is_cancelled(
        self, store: StoreDriver
    ) -> None:
        await keep(store, endpoint(batch=2))
        await deliver(store, sent(1, subject="a"), sent(2, subject="a"))
        claimed = await take(store)
        await store.settle_endpoint_deliveries(claimed, lambda _: again(START_US))
        await store.change_endpoint(endpoint(ordering="key", batch=2))
        [head] = await take(store)
        await settle(store, head, DEAD)
        assert await states(store) == {1: "dead", 2: "dead"}
        await store.cancel_delivery("e:1", at=START_US)
        [second] = await take(store)
        assert second.delivery.position == 2
        assert second.batch not in {None, head.batch}

    async def test_who_leaves_a_batch_leaves_its_name_to_the_others(self, store: StoreDriver) -> None:
        await keep(store, endpoint(batch=3, slots=2, reserved=0))
        await deliver(store, *(sent(n) for n in (1, 2, 3)))
        first, *others = await take(store)
        await settle(store, first, replace(DEAD, leaves=True))
        await store.settle_endpoint_deliveries(others, lambda _: again(START_US))
        await store.retry_delivery("e:1", at=START_US)
        names = {each.delivery.position: each.batch for each in await take(store)}
        assert names[2] == names[3] == others[0].batch
        assert names[1] not in {None, names[2]}

    async def test_a_batch_has_its_members_in_one_order_in_each_attempt(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint(ordering="key", batch=2))
        await deliver(store, sent(1, subject="a"), sent(2, subject="a"))
        harness.clock.move(0.001)
        [head], seen = await take(store), []
        await deliver(store, sent(3, subject="b"))
        harness.clock.move(0.001)
        await settle(store, head)  # so that the second is due after the third
        for _ in range(2):
            claimed = await take(store)
            seen.append(positions(claimed))
            await store.settle_endpoint_deliveries(claimed, lambda _: again(START_US))
        assert seen == [[2, 3], [2, 3]]

    async def test_a_member_that_was_cancelled_leaves_the_others_their_result(self, store: StoreDriver) -> None:
        await keep(store, endpoint(batch=3))
        await deliver(store, *(sent(n) for n in (1, 2, 3)))
        claimed = await take(store)
        await store.cancel_delivery("e:2", at=SOON)
        await store.settle_endpoint_deliveries(claimed, faring(DELIVERED, health=b"well"))
        assert await states(store) == {1: "delivered", 2: "cancelled", 3: "delivered"}
        assert [each.outcome for each in await store.attempts("e:3")] == ["delivered"]
        with pytest.raises(CheckpointMovedError):
            await store.settle_endpoint_deliveries(claimed, lambda _: DELIVERED)
        [attempt] = await store.attempts("e:2")
        assert (attempt.ended, attempt.outcome) == (SOON, "cancelled")

    async def test_what_is_cancelled_has_no_reason_of_a_failure(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        [claimed] = await take(store)
        await settle(store, claimed, DEAD)
        await store.cancel_delivery("e:1", at=SOON)
        assert await states(store, "reason", "error") == {1: ("cancelled", None, None)}
