"""Chapter "polling": what is due to an endpoint is read without being taken, and closed once it arrived."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tidings.conformance.endpoint_samples import DEAD, again, deliver, endpoint, keep, positions, sent, states, take
from tidings.conformance.store_harness import StoreHarness
from tidings.errors import NotFoundError
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Result

TAKEN = Result(state="delivered", outcome="delivered")
SECOND = 1_000_000


class Polling:
    """A mixin of `StoreSuite`."""

    async def test_what_is_polled_is_read_in_order_and_by_whoever_reads_again(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=0), endpoint("other"))
        await deliver(store, sent(3), sent(1, "other"), sent(4), sent(5))
        page = await store.polled("e", limit=2)
        assert (positions(page), [each.attempt for each in page]) == ([3, 4], [1, 1])
        assert await store.polled("e", limit=2) == page
        assert positions(await take(store)) == [1]  # none is claimed for who polls

    async def test_what_was_polled_is_closed_once_with_an_attempt(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=0), endpoint("other", slots=0))
        await deliver(store, sent(1), sent(2), sent(2, "other"))
        first, second = await store.polled("e", limit=9)
        [others] = await store.polled("other", limit=9)
        assert await store.settle_polled("e", [(first.n, TAKEN), (others.n, TAKEN)]) == 1
        assert await store.settle_polled("e", [(first.n, TAKEN)]) == 0
        assert positions(await store.polled("e", limit=9)) == [2]
        [tried] = await store.attempts("e:1")
        assert (tried.number, tried.outcome) == (1, "delivered")
        assert await store.attempts("e:2") == []
        assert second.attempt == 1
        with pytest.raises(NotFoundError):
            await store.settle_polled("nobody", [(first.n, TAKEN)])

    async def test_what_is_not_taken_is_due_again_later(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(slots=0))
        await deliver(store, sent(1), sent(2))
        [first, _] = await store.polled("e", limit=9)
        later = harness.clock.now_us() + 5 * SECOND
        assert await store.settle_polled("e", [(first.n, again(later))]) == 1
        assert positions(await store.polled("e", limit=9)) == [2]
        harness.clock.move(6)
        page = await store.polled("e", limit=9)
        assert [(each.delivery.position, each.attempt) for each in page] == [(1, 2), (2, 1)]

    async def test_why_one_cannot_be_told_may_say_anything(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=0))
        await deliver(store, sent(1))
        [first] = await store.polled("e", limit=9)
        assert await store.settle_polled("e", [(first.n, replace(DEAD, error="\x00\ud800"))]) == 1
        [tried] = await store.attempts("e:1")
        assert tried.error == "\\x00\\ud800"

    async def test_what_arrived_before_a_pause_may_be_said_after_it(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=0))
        await deliver(store, sent(1), sent(2))
        [first, _] = await store.polled("e", limit=9)
        await store.pause_endpoint("e", at=1, why="theirs")
        assert await store.polled("e", limit=9) == []
        assert await store.settle_polled("e", [(first.n, TAKEN)]) == 1
        assert await states(store) == {1: "delivered", 2: "held"}
