"""Chapter "order for endpoints": one after the other, over retries, deaths, pauses and redrives."""

from __future__ import annotations

import pytest

from tidings.conformance.endpoint_samples import (
    DEAD,
    again,
    condition,
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
from tidings.conformance.store_samples import OTHER, SOON
from tidings.errors import RefusedError
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import FOLLOWS, Range


class OrderingForEndpoints:
    """A mixin of `StoreSuite`."""

    async def test_subject_order_is_kept_over_retries(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, *(sent(n, subject="ab"[n % 2]) for n in (2, 3, 4, 5)), sent(6), sent(7))
        assert await states(store) == {2: "due", 3: "due", 4: "behind", 5: "behind", 6: "due", 7: "due"}
        a, b, *_ = await take(store)
        assert (a.delivery.position, b.delivery.position) == (2, 3)
        await settle(store, a, again(SOON))
        assert await take(store, owner=OTHER) == []
        await settle(store, b)
        assert positions(await take(store)) == [5]
        harness.clock.move(1)
        [a] = await take(store)
        assert (a.delivery.position, a.attempt) == (2, 2)
        await deliver(store, sent(8, subject="a"))
        await settle(store, a)
        [a] = await take(store)
        assert a.delivery.position == 4
        await settle(store, a)
        assert positions(await take(store)) == [8]

    async def test_under_fifo_all_are_sent_one_after_the_other(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="fifo", slots=9))
        await deliver(store, sent(1, subject="a"), sent(2), sent(3, subject="b"))
        for n in (1, 2, 3):
            [claimed] = await take(store)
            assert claimed.delivery.position == n
            assert await take(store, owner=OTHER) == []
            await settle(store, claimed)

    @pytest.mark.parametrize("way", ["retry", "recover"])
    async def test_under_fifo_what_is_redriven_goes_before_what_waits(
        self, store: StoreDriver, harness: StoreHarness, way: str
    ) -> None:
        await keep(store, endpoint(ordering="fifo"))
        await deliver(store, *(sent(n) for n in (1, 2, 3)))
        [first] = await take(store)
        await settle(store, first, DEAD)
        await store.resume_endpoint("e", at=START_US)  # somebody has skipped it, and thinks better of it
        assert await states(store) == {1: "dead", 2: "due", 3: "behind"}
        harness.clock.move(1)
        if way == "retry":
            await store.retry_delivery("e:1", at=harness.clock.now_us())
        else:
            await store.recover_endpoint("e", Range(after=0, to=3), at=harness.clock.now_us())
        assert await states(store) == {1: "due", 2: "behind", 3: "behind"}
        for n in (1, 2, 3):
            [claimed] = await take(store)
            assert claimed.delivery.position == n
            await settle(store, claimed)

    async def test_under_fifo_a_retry_goes_behind_what_was_redriven_meanwhile(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="fifo"))
        await deliver(store, *(sent(n) for n in (1, 2, 3)))
        [first] = await take(store)
        await settle(store, first, DEAD)
        await store.resume_endpoint("e", at=START_US)
        [second] = await take(store)
        await store.retry_delivery("e:1", at=START_US)
        await settle(store, second, again(START_US))
        assert await states(store) == {1: "due", 2: "behind", 3: "behind"}

    async def test_followers_of_a_dead_one_join_it_in_order(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, sent(1, subject="a"), sent(2, subject="b"), sent(3, subject="a"))
        head, other = await take(store)
        await settle(store, head, DEAD)
        await deliver(store, sent(4, subject="a"))
        assert await states(store, "reason") == {
            1: ("dead", "exhausted"),
            2: ("leased", None),
            3: ("dead", FOLLOWS),
            4: ("dead", FOLLOWS),
        }
        await settle(store, other)
        with pytest.raises(RefusedError, match="earlier delivery"):
            await store.retry_delivery("e:3", at=START_US)
        await store.retry_delivery("e:1", at=START_US)
        assert await states(store) == {1: "due", 2: "delivered", 3: "behind", 4: "behind"}
        for n in (1, 3, 4):
            [claimed] = await take(store)
            assert (claimed.delivery.position, claimed.attempt) == (n, 1)
            await settle(store, claimed)

    async def test_followers_flow_on_once_a_dead_one_is_cancelled(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, *(sent(n, subject="a") for n in (1, 2, 3)))
        [head] = await take(store)
        await settle(store, head, DEAD)
        await store.cancel_delivery("e:1", at=START_US)
        assert await states(store) == {1: "cancelled", 2: "due", 3: "behind"}

    async def test_a_cancelled_head_lets_the_next_one_go(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, *(sent(n, subject="a") for n in (1, 2, 3)))
        await store.cancel_delivery("e:2", at=START_US)
        assert await states(store) == {1: "due", 2: "cancelled", 3: "behind"}
        await store.cancel_delivery("e:1", at=START_US)
        assert positions(await take(store)) == [3]

    async def test_a_dead_head_pauses_an_endpoint_under_fifo(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="fifo"))
        await deliver(store, sent(1), sent(2), sent(3))
        [head] = await take(store)
        settled = await store.settle_endpoint_deliveries([head], lambda _: DEAD)
        assert (settled.after.condition.state, settled.after.condition.why) == ("paused", "fifo-head-dead")
        assert settled.after.condition.since >= START_US
        assert await states(store) == {1: "dead", 2: "held", 3: "held"}
        await store.retry_delivery("e:1", at=START_US)
        assert await states(store) == dict.fromkeys((1, 2, 3), "held")
        await store.resume_endpoint("e", at=START_US)
        assert await states(store) == {1: "due", 2: "behind", 3: "behind"}

    async def test_a_pause_keeps_the_order(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, *(sent(n, subject="ab"[n % 2]) for n in range(1, 5)))
        one, two = await take(store)
        await settle(store, one, again(SOON))
        await store.pause_endpoint("e", at=START_US, why="by hand")
        await deliver(store, sent(5, subject="b"), sent(6, subject="c"))
        assert await states(store) == {1: "held", 2: "leased", 3: "held", 4: "held", 5: "held", 6: "held"}
        await store.resume_endpoint("e", at=START_US)
        assert await states(store) == {1: "due", 2: "leased", 3: "behind", 4: "behind", 5: "behind", 6: "due"}
        await settle(store, two)
        assert positions(await take(store)) == [1, 4, 6]
        assert (await condition(store)).state == "active"
