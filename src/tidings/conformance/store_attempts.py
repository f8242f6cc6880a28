"""Chapter "attempts": every try of a delivery is kept for a while, and a delivery can be found and cancelled."""

from __future__ import annotations

import pytest

from tidings.conformance.store_delivering import claim, intend, keys
from tidings.conformance.store_harness import START_US, StoreHarness
from tidings.conformance.store_samples import OTHER, SOON, TTL, delivery, reason
from tidings.errors import CheckpointMovedError, NotFoundError, RefusedError
from tidings.store.attempts import Attempt
from tidings.store.deliveries import DeliveryFilter
from tidings.store.driver import StoreDriver

TTL_US = round(TTL.total_seconds() * 1_000_000)


async def tried(store: StoreDriver, key: str, harness: StoreHarness, *, fails: int = 0) -> None:
    """Have the delivery of this key, the only one that is due, fail so often, and then be done, in a second each."""
    for n in range(fails + 1):
        [claimed] = await claim(store)
        assert claimed.delivery.key == key
        harness.clock.move(1)
        await store.settle_delivery(claimed, reason(harness.clock.now_us()) if n < fails else None)


class Attempting:
    """A mixin of `StoreSuite`."""

    async def test_every_try_leaves_an_attempt(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"))
        await claim(store)  # whose process ends
        harness.clock.move(TTL.total_seconds())
        [second] = await claim(store, owner=OTHER)
        harness.clock.move(1)
        await store.settle_delivery(second, reason(harness.clock.now_us(), error="timed out"))
        await claim(store)  # which is under way
        began = START_US + TTL_US
        assert list(await store.attempts("a")) == [
            Attempt(number=1, began=START_US, ended=began, outcome="lost"),
            Attempt(number=2, began=began, ended=began + 1_000_000, outcome="handler-failed", error="timed out"),
            Attempt(number=3, began=began + 1_000_000),
        ]

    async def test_attempts_are_their_deliverys_own(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"), delivery("b"))
        first, _ = await claim(store)
        await store.settle_delivery(first, None)
        assert [each.outcome for each in await store.attempts("a")] == ["delivered"]
        assert [each.outcome for each in await store.attempts("b")] == [None]
        assert list(await store.attempts("c")) == []

    async def test_attempts_before_a_retry_stay(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"))
        [claimed] = await claim(store)
        await store.settle_delivery(claimed, reason(None))
        await store.retry_delivery("a", at=harness.clock.now_us())
        await tried(store, "a", harness)
        assert [(each.number, each.outcome) for each in await store.attempts("a")] == [
            (1, "handler-failed"),
            (1, "delivered"),
        ]

    async def test_a_result_that_is_refused_changes_no_attempt(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"))
        [first] = await claim(store)
        harness.clock.move(TTL.total_seconds())
        await claim(store, owner=OTHER)
        with pytest.raises(CheckpointMovedError):
            await store.settle_delivery(first, None)
        assert [each.outcome for each in await store.attempts("a")] == ["lost", None]

    async def test_attempts_are_bounded_from_closing_time(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"), delivery("b"))
        first, second = await claim(store)
        await store.settle_delivery(first, None)
        harness.clock.move(5)
        await store.settle_delivery(second, reason(None))
        closed = harness.clock.now_us()
        assert await store.forget_attempts(closed=START_US, keep=10, limit=10) == 0
        assert await store.forget_attempts(closed=closed, keep=10, limit=10) == 1
        assert list(await store.attempts("a")) == []
        await store.retry_delivery("b", at=closed)  # so it is open, and keeps what it has
        assert await store.forget_attempts(closed=closed + 1, keep=10, limit=10) == 0
        assert len(await store.attempts("b")) == 1

    async def test_attempts_are_bounded_in_number_the_oldest_go_first(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await intend(store, delivery("a"))
        await tried(store, "a", harness, fails=5)
        assert await store.forget_attempts(closed=0, keep=2, limit=3) == 3
        assert await store.forget_attempts(closed=0, keep=2, limit=3) == 1
        assert [each.number for each in await store.attempts("a")] == [5, 6]

    async def test_what_was_done_or_cancelled_long_ago_is_forgotten_after_its_attempts(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await intend(store, *(delivery(key) for key in ("delivered", "dead", "cancelled", "delivered later", "open")))
        done, dead, _, later, _ = await claim(store)
        await store.settle_delivery(done, None)
        await store.settle_delivery(dead, reason(None))
        await store.cancel_delivery("cancelled", at=harness.clock.now_us())
        harness.clock.move(5)
        now = harness.clock.now_us()
        await store.settle_delivery(later, None)
        assert await store.forget_deliveries(closed=now, limit=10) == 0  # attempts of each are kept
        await store.forget_attempts(closed=now, keep=10, limit=10)
        assert [await store.forget_deliveries(closed=now, limit=1) for _ in range(3)] == [1, 1, 0]
        assert [each["key"] for each in await store.deliveries()] == ["dead", "delivered later", "open"]

    async def test_a_cancelled_delivery_is_called_no_more(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"), delivery("b"))
        assert await store.cancel_delivery("a", at=SOON)
        assert keys(await claim(store)) == ["b"]
        [seen] = await store.deliveries("cancelled")
        assert (seen["key"], seen["next_at"], seen["closed"]) == ("a", None, SOON)
        assert not await store.cancel_delivery("a", at=SOON + 1)
        assert (await store.delivery("a") or {})["closed"] == SOON
        await intend(store, delivery("a"))  # again, by the same entry: it is known, and stays cancelled
        harness.clock.move(1_000)
        assert "a" not in keys(await claim(store))

    async def test_what_waits_behind_a_cancelled_delivery_goes_on(self, store: StoreDriver) -> None:
        await intend(store, delivery("a", order="x"), delivery("b", order="x"))
        await store.cancel_delivery("a", at=SOON)
        assert keys(await claim(store)) == ["b"]

    async def test_the_result_of_a_call_that_was_cancelled_meanwhile_is_refused(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await intend(store, delivery("a"))
        [claimed] = await claim(store)
        await store.cancel_delivery("a", at=SOON)
        with pytest.raises(CheckpointMovedError):
            await store.settle_delivery(claimed, None)
        assert [each["state"] for each in await store.deliveries()] == ["cancelled"]

    async def test_a_dead_delivery_can_be_cancelled_and_a_done_one_cannot(self, store: StoreDriver) -> None:
        with pytest.raises(NotFoundError, match="there is no delivery"):
            await store.cancel_delivery("a", at=SOON)
        await intend(store, delivery("a"), delivery("b"))
        first, second = await claim(store)
        await store.settle_delivery(first, reason(None))
        await store.settle_delivery(second, None)
        await store.cancel_delivery("a", at=SOON)
        with pytest.raises(RefusedError, match="is cancelled"):
            await store.retry_delivery("a", at=SOON)
        with pytest.raises(RefusedError, match="is delivered"):
            await store.cancel_delivery("b", at=SOON)
        assert [each["state"] for each in await store.deliveries()] == ["cancelled", "delivered"]

    async def test_a_delivery_says_when_it_was_intended_and_closed(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await intend(store, delivery("a"), delivery("b"))
        harness.clock.move(1)
        first, second = await claim(store)
        await store.settle_delivery(first, None)
        await store.settle_delivery(second, reason(SOON + 1))
        seen = [(each["intended"], each["closed"]) for each in await store.deliveries()]
        assert seen == [(START_US, START_US + 1_000_000), (START_US, None)]

    async def test_deliveries_are_found_by_what_they_are(self, store: StoreDriver, harness: StoreHarness) -> None:
        await intend(store, delivery("a"), delivery("b", service="bank"))
        harness.clock.move(1)
        await intend(store, delivery("c"))
        for claimed in await claim(store, services=("shop", "bank")):
            await store.settle_delivery(claimed, reason(None, kind="not-retryable"))
        await intend(store, delivery("d"))

        async def found(**where: str | int) -> list[str]:
            return [each["key"] for each in await store.deliveries(where=DeliveryFilter(**where))]  # type: ignore[arg-type]

        assert await found() == ["a", "b", "c", "d"]
        assert await found(service="bank") == ["b"]
        assert await found(function="shop.mail") == ["a", "b", "c", "d"]
        assert await found(function="shop.call") == []
        assert await found(reason="not-retryable", service="shop") == ["a", "c"]
        assert await found(since=SOON) == ["c", "d"]
        assert await found(until=SOON) == ["a", "b"]
        behind = await store.deliveries("dead", where=DeliveryFilter(service="shop"), after="a", limit=5)
        assert [each["key"] for each in behind] == ["c"]
