"""Chapter "finding what failed": deliveries that are dead and receipts that failed, each read where it lies."""

from __future__ import annotations

from typing import Any

import pytest

from tidings.conformance.endpoint_samples import DEAD, deliver, endpoint, keep, sent, settle, take
from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_receiving import came, receive
from tidings.conformance.store_samples import OWNER, TTL, entry, undone
from tidings.errors import RefusedError
from tidings.store.audit import Change
from tidings.store.deliveries import Delivery, DeliveryFilter
from tidings.store.driver import StoreDriver
from tidings.store.letters import DeadCount, DeadOf
from tidings.store.reason import Reason

CHANGE = Change(who="cli", what="redrive", on="delivery e:1")


async def die(store: StoreDriver, *positions: int) -> None:
    """Have one due delivery after the other die, in the order of these positions."""
    taken = {each.delivery.position: each for each in await take(store)}
    for position in positions:
        await settle(store, taken[position], DEAD)


async def keys(store: StoreDriver, **where: Any) -> list[str]:
    return [each.key for each in await store.dead_deliveries(DeliveryFilter(**where))]


class FindingWhatFailed:
    """A mixin of `StoreSuite`."""

    async def test_dead_deliveries_are_found_in_the_order_in_which_they_died(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint("e"), endpoint("f"))
        await deliver(store, sent(1, subject="s"), sent(2), sent(3, "f"), sent(4))
        taken = {each.delivery.position: each for each in await take(store)}
        for position in (4, 2, 3):
            await settle(store, taken[position], DEAD)
            harness.clock.move(1)
        found = await store.dead_deliveries()
        assert [(each.key, each.endpoint, each.position) for each in found] == [
            *(("e:4", "e", 4), ("e:2", "e", 2), ("f:3", "f", 3)),
        ]
        assert {(each.type, each.reason, each.error, each.attempts) for each in found} == {
            ("said", "exhausted", "500", 1)
        }
        assert await store.dead_delivery("e:2") == found[1]
        assert await store.dead_delivery("e:1") is None

    async def test_dead_deliveries_are_read_page_by_page_and_none_is_passed_over(self, store: StoreDriver) -> None:
        await keep(store, endpoint("e", slots=9, reserved=0))
        await deliver(store, *(sent(n) for n in range(1, 8)))
        await die(store, 3, 1, 7, 2, 5)
        seen, after = list[str](), None
        while page := await store.dead_deliveries(after=after, limit=2):
            seen += [each.key for each in page]
            after = page[-1].mark
        assert seen == ["e:1", "e:2", "e:3", "e:5", "e:7"]  # they died at one time: by their rows

    async def test_what_only_follows_a_dead_delivery_is_counted_with_it(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, sent(1, subject="s"), sent(2, subject="s"), sent(3, subject="t"), sent(4, subject="s"))
        await die(store, 1)
        [head] = await store.dead_deliveries()
        assert (head.key, head.followers, head.is_behind) == ("e:1", 2, False)
        assert await store.dead_behind(head, limit=9) == ["e:2", "e:4"]
        assert await store.dead_behind(head, limit=1) == ["e:2"]
        follower = await store.dead_delivery("e:2")
        assert follower is not None
        assert (follower.is_behind, follower.reason) == (True, "follows-dead")
        assert await store.count_letters() == DeadCount(deliveries=3)

    async def test_a_subject_that_no_order_is_kept_of_has_no_letter_behind_another(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1, subject="s"), sent(2, subject="s"))
        await die(store, 1, 2)
        assert [(each.is_behind, each.followers) for each in await store.dead_deliveries()] == [(False, 0)] * 2

    async def test_dead_calls_of_functions_are_found_beside_those_to_endpoints(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        await die(store, 1)
        async with store.unit() as unit:
            await unit.intend([Delivery(key="k", service="mail", function="send", payload=b"{}")])
        [claimed] = await store.claim_deliveries(owner=OWNER, services=["mail"], limit=1, ttl=TTL)
        await store.settle_delivery(claimed, Reason(kind="not-retryable", error="no", next_at=None))
        assert await keys(store) == ["e:1", "k"]
        assert (await keys(store, service="mail"), await keys(store, endpoint="e")) == (["k"], ["e:1"])
        assert await keys(store, reason="not-retryable") == ["k"]
        assert await store.count_letters() == DeadCount(deliveries=2)
        assert await store.count_letters_of() == DeadOf(services={"mail": 1}, receivers={})
        found = await store.dead_delivery("k")
        assert found is not None
        assert (found.service, found.function, found.position, found.subject) == ("mail", "send", None, None)

    async def test_failed_receipts_are_found_oldest_first(self, store: StoreDriver) -> None:
        judged = await receive(
            store,
            came("a", at=3, outcome="failed"),
            came("b", at=1, outcome="failed", receiver="other"),
            came("c", at=2),
            came("d", at=3, outcome="failed"),
        )
        assert await store.count_letters() == DeadCount(receipts=3)
        assert await store.count_letters_of() == DeadOf(services={}, receivers={"other": 1, "till": 2})
        found = await store.failed_receipts()
        assert [each.n for each in found] == [judged[1].n, judged[0].n, judged[3].n]
        assert [each.n for each in await store.failed_receipts("till", limit=1)] == [judged[0].n]
        later = await store.failed_receipts(after=(3, judged[0].n))
        assert [each.n for each in later] == [judged[3].n]

    async def test_what_is_emitted_with_a_change_is_kept_with_it_or_not_at_all(self, store: StoreDriver) -> None:
        [judged] = await receive(store, came("a", outcome="failed"))
        with pytest.raises(RefusedError):
            store.emit([entry(1).envelope])

        async with undone(store.changing(CHANGE)) as changing:
            assert await changing.finish_receipt(judged.n, (), b"[]", at=5)
            changing.emit([entry(1).envelope])
        assert [each.n for each in await store.failed_receipts()] == [judged.n]
        async with store.changing(CHANGE) as changed:
            assert await changed.finish_receipt(judged.n, (), b"[]", at=5)
            changed.emit([entry(1).envelope])
        assert await store.failed_receipts() == []
        waiting = await store.waiting(most=9)
        assert sum(len(envelopes) for envelopes, _ in changed.appended) + waiting.envelopes == 1
