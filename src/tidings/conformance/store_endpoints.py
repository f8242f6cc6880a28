"""Chapter "endpoints": what is sent where, changed by who has seen the version that is kept."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tidings.conformance.endpoint_samples import (
    DEAD,
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
from tidings.conformance.store_samples import SOON
from tidings.errors import CheckpointMovedError, NotFoundError, RefusedError
from tidings.store.deliveries import DeliveryFilter
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import COUNTED, Backlog
from tidings.store.endpoints import Condition, Pacing


class KeepingEndpoints:
    """A mixin of `StoreSuite`."""

    async def test_an_endpoint_comes_back_as_it_was_added(self, store: StoreDriver) -> None:
        given = endpoint(ordering="key", slots=7, reserved=2, rate=90, batch=5, linger=1_000, starts_after=4)
        given = replace(given, secrets=b"\x00secret")
        await keep(store, given)
        assert await store.endpoint("e") == given
        assert await store.endpoint("f") is None

    async def test_an_id_is_added_once(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        assert not await store.add_endpoint(replace(endpoint(), config=b"{}"))
        assert await store.endpoint("e") == endpoint()

    async def test_endpoints_are_listed_by_id_page_by_page(self, store: StoreDriver) -> None:
        await keep(store, *map(endpoint, "cabd"))
        first = await store.endpoints(limit=3)
        assert [each.id for each in first] == ["a", "b", "c"]
        assert [each.id for each in await store.endpoints(after="c", limit=3)] == ["d"]

    async def test_the_backlog_of_an_endpoint_is_counted_state_by_state(self, store: StoreDriver) -> None:
        await keep(store, endpoint("a", slots=3), endpoint("b", ordering="key"), endpoint("c"))
        assert await store.backlogs("a", "b") == {"a": Backlog(), "b": Backlog()}
        await deliver(store, *(sent(n, "a") for n in range(1, 7)), *(sent(n, "b", subject="s") for n in (1, 2, 3)))
        first, second, third, *_ = [each for each in await take(store) if each.delivery.endpoint == "a"]
        await settle(store, first)
        await settle(store, second, DEAD)
        await settle(store, third, again(SOON))
        found = await store.backlogs("a", "c")
        assert found["a"] == Backlog(pending=4, dead=1, oldest=START_US, next_at=START_US)
        assert found["b"] == Backlog(pending=3, oldest=START_US)
        assert found["c"] == Backlog()
        await store.pause_endpoint("a", at=START_US, why="by hand")
        assert await store.backlogs("a", "a") == {"a": Backlog(held=4, dead=1, oldest=START_US)}
        assert await store.backlogs("d", "e") == {}

    async def test_the_last_deliveries_to_an_endpoint_come_first(self, store: StoreDriver) -> None:
        await keep(store, endpoint(), endpoint("f"))
        await deliver(store, *(sent(n, to) for n in (1, 2, 3) for to in "ef"))
        assert [each["key"] for each in await store.last_deliveries("e", limit=2)] == ["e:3", "e:2"]
        assert await store.last_deliveries("g", limit=2) == []

    async def test_what_became_of_an_entry_is_found_endpoint_by_endpoint(self, store: StoreDriver) -> None:
        await keep(store, endpoint("f"), endpoint("e"))
        await deliver(store, sent(1, "f"), sent(2, "f"), sent(1, "e", run="r"), sent(1, "e"))
        found = await store.deliveries_of(1, limit=9)
        assert [(each["key"], each["endpoint"], each["state"]) for each in found] == [
            *(("e:1", "e", "due"), ("e:1:r", "e", "due"), ("f:1", "f", "due")),
        ]
        assert found[0] == (await store.deliveries(None, where=DeliveryFilter(endpoint="e")))[1]
        assert [each["key"] for each in await store.deliveries_of(1, limit=2)] == ["e:1", "e:1:r"]
        assert await store.deliveries_of(3, limit=9) == []

    async def test_a_backlog_is_counted_so_far_and_no_further(self, store: StoreDriver) -> None:
        await keep(store, endpoint(), endpoint("f", ordering="key"))
        every = range(1, COUNTED + 3)
        await deliver(store, *(sent(n) for n in every), *(sent(n, "f", subject="s") for n in every))
        await take(store)
        found = await store.backlogs("e", "f")
        assert (found["e"].pending, found["f"].pending) == (COUNTED, COUNTED)

    async def test_a_pause_and_a_resumption_keep_the_health_they_are_given(self, store: StoreDriver) -> None:
        await keep(store, replace(endpoint(), condition=Condition(health=b"known")))
        assert (await store.pause_endpoint("e", at=START_US, why="by hand")).condition.health == b"known"
        paused = await store.pause_endpoint("e", at=START_US, why="by hand", health=b"paused")
        assert paused.condition.health == b"paused"
        assert (await store.resume_endpoint("e", at=START_US, health=b"new")).condition.health == b"new"

    async def test_it_is_kept_since_when_a_state_is(self, store: StoreDriver) -> None:
        await keep(store, replace(endpoint(), condition=Condition(since=1)))
        assert (await condition(store)).since == 1
        assert (await store.pause_endpoint("e", at=2, why="by hand")).condition.since == 2
        assert (await store.pause_endpoint("e", at=3, why="by another hand")).condition.since == 2
        assert (await store.pause_endpoint("e", at=4, why="gone", state="disabled")).condition.since == 4
        assert (await store.resume_endpoint("e", at=5)).condition.since == 5

    async def test_who_changes_an_endpoint_has_seen_the_version_that_is_kept(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        one, two = replace(endpoint(), config=b"1"), replace(endpoint(), config=b"2")
        kept = await store.change_endpoint(one)
        assert kept == replace(one, version=2)
        assert await store.change_endpoint(two) is None
        assert await store.endpoint("e") == kept
        with pytest.raises(NotFoundError):
            await store.change_endpoint(endpoint("f"))

    async def test_a_change_leaves_how_the_endpoint_fares(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await store.pause_endpoint("e", at=START_US, why="by hand")
        await store.change_endpoint(replace(endpoint(), config=b"1"))
        assert (await condition(store)).why == "by hand"

    async def test_a_unit_reads_the_endpoints_it_delivers_to(self, store: StoreDriver) -> None:
        await keep(store, *map(endpoint, "ba"))
        async with store.unit() as unit:
            assert [each.id for each in await unit.endpoints()] == ["a", "b"]

    async def test_deleted_endpoint_cancels_open_deliveries(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(slots=2), endpoint("f"))
        await deliver(store, *(sent(n) for n in (1, 2, 3, 4)), sent(5, "f"))
        first, second = [each for each in await take(store) if each.delivery.endpoint == "e"]
        await settle(store, first)
        assert await store.remove_endpoint("e", at=SOON) == 3
        assert await states(store, "reason") == {
            1: ("delivered", None),
            **dict.fromkeys((2, 3, 4), ("cancelled", "endpoint-removed")),
            5: ("leased", None),
        }
        with pytest.raises(CheckpointMovedError):
            await settle(store, second)
        assert await store.endpoint("e") is None
        assert await deliver(store, sent(6)) == 0
        harness.clock.move(1_000)
        assert [each.delivery.endpoint for each in await take(store)] == ["f"]
        with pytest.raises(NotFoundError):
            await store.remove_endpoint("e", at=SOON)

    async def test_pausing_holds_what_is_open_and_what_comes_and_resuming_lets_it_go_in_order(
        self, store: StoreDriver
    ) -> None:
        await keep(store, endpoint(slots=9))
        await deliver(store, sent(1), sent(2))
        paused = await store.pause_endpoint("e", at=START_US, why="by hand")
        assert (paused.condition.state, paused.condition.why) == ("paused", "by hand")
        await deliver(store, sent(3))
        assert await states(store) == dict.fromkeys((1, 2, 3), "held")
        assert await take(store) == []
        assert await store.next_endpoint_delivery() is None
        resumed = await store.resume_endpoint("e", at=START_US)
        assert (resumed.condition.state, resumed.condition.why) == ("active", None)
        assert positions(await take(store)) == [1, 2, 3]
        with pytest.raises(RefusedError, match="is active"):
            await store.resume_endpoint("e", at=START_US)

    async def test_auto_pause_works_and_keeps_the_deliveries(self, store: StoreDriver) -> None:
        await keep(store, endpoint(slots=2, reserved=0))
        await deliver(store, sent(1), sent(2), sent(3))
        first, second = await take(store)
        decide = faring(again(SOON), state="paused", why="nothing succeeded for 5 days", health=b"{}")
        settled = await store.settle_endpoint_deliveries([first], decide)
        assert (settled.before.condition.state, settled.after.condition.state) == ("active", "paused")
        assert (await condition(store)).health == b"{}"
        assert await states(store) == {1: "held", 2: "leased", 3: "held"}
        await settle(store, second, again(SOON))
        assert await states(store) == dict.fromkeys((1, 2, 3), "held")
        await store.resume_endpoint("e", at=START_US)
        assert positions(await take(store)) == [1, 2]

    async def test_a_disabled_endpoint_holds_as_a_paused_one(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        await store.pause_endpoint("e", at=START_US, why="gone", state="disabled")
        assert (await condition(store)).state == "disabled"
        assert await states(store) == {1: "held"}

    async def test_another_ordering_arranges_what_is_open(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1, subject="a"), sent(2, subject="b"), sent(3, subject="a"), sent(4))
        kept = await store.change_endpoint(replace(endpoint(), pacing=Pacing(ordering="key")))
        assert await states(store) == {1: "due", 2: "due", 3: "behind", 4: "due"}
        assert kept is not None
        kept = await store.change_endpoint(replace(kept, pacing=Pacing(ordering="fifo")))
        assert await states(store) == {1: "due", 2: "behind", 3: "behind", 4: "behind"}
        assert kept is not None
        await store.change_endpoint(replace(kept, pacing=Pacing()))
        assert await states(store) == dict.fromkeys((1, 2, 3, 4), "due")
