"""Chapter "results for endpoints": written once, by who holds the lease, whole, with what the endpoint becomes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tidings.conformance.endpoint_samples import (
    DEAD,
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
from tidings.conformance.store_samples import OTHER, OWNER, SOON, TTL, undone
from tidings.errors import CheckpointMovedError, RefusedError
from tidings.store.attempts import Attempt
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Claiming, Ending, Result
from tidings.store.ladder import TRIES


class SettlingForEndpoints:
    """A mixin of `StoreSuite`."""

    async def test_every_try_leaves_an_attempt_row(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        await take(store)  # whose process ends
        harness.clock.move(TTL.total_seconds())
        [second] = await take(store, owner=OTHER)
        began = harness.clock.now_us()
        harness.clock.move(1)
        ended = harness.clock.now_us()
        await settle(store, second, replace(again(ended), answer=b'{"status":500}'))
        [third] = await take(store)
        await settle(store, third)
        error = "nobody said how the attempt ended: its process did, or it took longer than its lease"
        assert list(await store.attempts("e:1")) == [
            Attempt(number=1, began=START_US, ended=began, outcome="lost", error=error),
            Attempt(number=2, began=began, ended=ended, outcome="http-500", error="500", answer=b'{"status":500}'),
            Attempt(number=3, began=ended, ended=ended, outcome="delivered"),
        ]

    async def test_lost_lease_cannot_write_a_result(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        [first] = await take(store)
        harness.clock.move(TTL.total_seconds())
        [second] = await take(store, owner=OTHER)
        assert (first.attempt, second.attempt) == (1, 2)
        with pytest.raises(CheckpointMovedError):
            await store.settle_endpoint_deliveries([first], faring(DELIVERED, health=b"by the stale one"))
        assert (await condition(store)).health == b""
        assert await states(store) == {1: "leased"}
        await settle(store, second)
        with pytest.raises(CheckpointMovedError):
            await settle(store, second, DEAD)
        assert await states(store) == {1: "delivered"}

    async def test_what_a_dead_process_was_sending_is_due_at_once(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        await take(store, owner=harness.owner_that_is_gone())
        [again_] = await take(store)
        assert again_.attempt == 2
        assert [each.outcome for each in await store.attempts("e:1")] == ["lost", None]

    async def test_retry_budget_ends_in_a_dead_letter(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        for n in range(1, TRIES + 1):
            [claimed] = await take(store)
            assert claimed.attempt == n
            harness.clock.move(TTL.total_seconds())
        assert await take(store) == []
        assert await states(store, "reason", "attempts") == {1: ("dead", "lost", TRIES)}

    async def test_an_endpoint_fares_by_its_row_as_it_is_when_the_result_is_written(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1), sent(2))
        for each in await take(store):
            await store.settle_endpoint_deliveries(
                [each],
                lambda kept: replace(
                    DELIVERED, condition=replace(kept.condition, health=bytes(kept.condition.health) + b"+")
                ),
            )
        assert (await condition(store)).health == b"++"

    async def test_batch_result_is_atomic_on_every_store(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(slots=4, reserved=0))
        await deliver(store, sent(1), sent(2), sent(3))
        claimed = await take(store)
        async with undone(store.unit()) as unit:
            await unit.settle(claimed, faring(DELIVERED, health=b"no"))
        assert await states(store) == dict.fromkeys((1, 2, 3), "leased")
        assert (await condition(store)).health == b""
        await store.settle_endpoint_deliveries(claimed, faring(DELIVERED, health=b"yes"))
        assert await states(store) == dict.fromkeys((1, 2, 3), "delivered")
        with pytest.raises(CheckpointMovedError):
            await store.settle_endpoint_deliveries(claimed, faring(DEAD, health=b"no"))
        assert await states(store) == dict.fromkeys((1, 2, 3), "delivered")
        assert (await condition(store)).health == b"yes"

    async def test_a_result_is_one_transaction_with_what_is_told_of_it(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        [claimed] = await take(store)
        async with undone(store.unit()) as unit:
            await unit.settle([claimed], lambda _: DELIVERED)
        assert await states(store) == {1: "leased"}
        async with store.unit() as unit:
            settled = await unit.settle([claimed], lambda _: DELIVERED)
        assert settled.result == DELIVERED
        assert await states(store) == {1: "delivered"}

    async def test_results_and_what_is_due_in_their_room_are_one_transaction(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint(slots=2, reserved=0))
        await deliver(store, *map(sent, (1, 2, 3, 4)))
        first, second = await take(store)
        claiming = Claiming(owner=OWNER, limit=1, late=1)
        ended = [([first], lambda _: DELIVERED), ([second], faring(again(START_US + 1), health=b"ill"))]
        assert await store.turn_endpoint_deliveries(Ending(ended, lambda _: True), claiming, ttl=TTL) is None
        assert await states(store) == {1: "leased", 2: "leased", 3: "due", 4: "due"}
        turned = await store.turn_endpoint_deliveries(Ending(ended, lambda _: False), claiming, ttl=TTL)
        assert turned is not None
        assert [each.result.state for each in turned.settled] == ["delivered", "due"]
        assert turned.settled[1].after.condition.health == (await condition(store)).health == b"ill"
        [claim] = turned.claims
        assert positions(claim.deliveries) == [3]
        assert await states(store) == {1: "delivered", 2: "due", 3: "leased", 4: "due"}
        stale = Ending([([first], lambda _: DELIVERED)], lambda _: False)
        with pytest.raises(CheckpointMovedError):
            await store.turn_endpoint_deliveries(stale, claiming, ttl=TTL)
        assert await states(store) == {1: "delivered", 2: "due", 3: "leased", 4: "due"}
        none = await store.turn_endpoint_deliveries(Ending([], lambda _: False), None, ttl=TTL)
        assert none is not None
        assert (list(none.settled), list(none.claims)) == ([], [])

    async def test_an_attempt_that_is_given_back_was_not_made(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        [claimed] = await take(store)
        await settle(store, claimed, Result(state="due", outcome="proxy-failed", next_at=SOON, is_spent=False))
        assert await states(store, "attempts", "first_at") == {1: ("due", 0, None)}
        assert list(await store.attempts("e:1")) == []
        harness.clock.move(1)
        [again_] = await take(store)
        assert again_.attempt == 1
        with pytest.raises(CheckpointMovedError):
            await settle(store, claimed)

    async def test_what_cannot_be_told_here_is_held_until_somebody_can(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        [claimed] = await take(store)
        unreadable = "version-unreadable"
        await settle(store, claimed, Result(state="held", outcome=unreadable, reason=unreadable, is_spent=False))
        assert await states(store, "reason") == {1: ("held", unreadable)}
        await store.sweep_endpoint_deliveries(stale=TTL)
        [held] = await store.unreadable()
        assert (held.n, held.delivery) == (claimed.n, claimed.delivery)
        assert list(await store.unreadable(after=held.n)) == []
        assert await store.release_unreadable([held.n + 1], at=START_US) == 0
        assert await store.release_unreadable([held.n], at=START_US) == 1
        assert await store.release_unreadable([held.n], at=START_US) == 0
        assert await states(store, "reason") == {1: ("due", None)}
        assert positions(await take(store)) == [1]

    async def test_a_resume_leaves_what_cannot_be_told_here_and_a_pause_keeps_it(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="key", slots=4, reserved=0))
        await deliver(store, sent(1, subject="a"), sent(2, subject="a"), sent(3, subject="b"))
        first, third = await take(store)
        unreadable = "version-unreadable"
        await settle(store, first, Result(state="held", outcome=unreadable, reason=unreadable, is_spent=False))
        await settle(store, third)
        await store.pause_endpoint("e", at=START_US, why="by hand")
        assert await store.release_unreadable([first.n], at=START_US) == 0
        await store.resume_endpoint("e", at=START_US)
        assert await states(store) == {1: "held", 2: "behind", 3: "delivered"}
        assert await store.release_unreadable([first.n], at=START_US) == 1
        assert await states(store) == {1: "due", 2: "behind", 3: "delivered"}

    async def test_the_first_body_is_remembered(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        for body in (b"one", b"two"):
            [claimed] = await take(store)
            await settle(store, claimed, again(START_US, body_hash=body))
        [claimed] = await take(store)
        assert claimed.body_hash == b"one"

    async def test_an_error_may_say_anything(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        [claimed] = await take(store)
        await settle(store, claimed, replace(DEAD, error="\x00\ud800", answer=b"\x00\xff"))
        [attempt] = await store.attempts("e:1")
        assert (attempt.error, attempt.answer) == ("\\x00\\ud800", b"\x00\xff")

    async def test_redrive_starts_with_a_full_budget(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        for _ in range(2):
            [claimed] = await take(store)
            await settle(store, claimed, again(harness.clock.now_us()))
        [claimed] = await take(store)
        assert claimed.attempt == 3
        await settle(store, claimed, DEAD)
        await store.retry_delivery("e:1", at=harness.clock.now_us())
        [again_] = await take(store)
        assert again_.attempt == 1
        assert again_.epoch > claimed.epoch

    async def test_what_is_dead_for_a_removed_endpoint_is_not_retried(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1))
        [claimed] = await take(store)
        await settle(store, claimed, DEAD)
        await store.remove_endpoint("e", at=SOON)
        with pytest.raises(RefusedError, match="is removed"):
            await store.retry_delivery("e:1", at=SOON)
        assert await store.cancel_delivery("e:1", at=SOON)

    async def test_a_cancelled_delivery_is_sent_no_more(self, store: StoreDriver) -> None:
        await keep(store, endpoint())
        await deliver(store, sent(1), sent(2))
        first, _ = await take(store)
        await store.cancel_delivery("e:1", at=SOON)
        with pytest.raises(CheckpointMovedError):
            await settle(store, first)
        assert await states(store) == {1: "cancelled", 2: "leased"}

    async def test_the_members_of_a_batch_are_frozen_at_its_first_attempt(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await keep(store, endpoint(batch=3, slots=2, reserved=0))
        await deliver(store, *(sent(n) for n in range(1, 9)))
        claimed = await take(store)
        assert [(each.batch, each.delivery.position) for each in claimed] == [
            *(("e:1#1", n) for n in (1, 2, 3)),
            *(("e:4#1", n) for n in (4, 5, 6)),
        ]
        assert await take(store) == []
        await store.settle_endpoint_deliveries(claimed[:3], lambda _: again(SOON))
        await store.settle_endpoint_deliveries(claimed[3:], lambda _: DELIVERED)
        assert [each.delivery.position for each in await take(store)] == [7, 8]
        harness.clock.move(1)
        retried = await take(store)
        assert [(each.batch, each.delivery.position, each.attempt) for each in retried] == [
            ("e:1#1", n, 2) for n in (1, 2, 3)
        ]

    async def test_a_batch_waits_for_more_a_little_while(self, store: StoreDriver, harness: StoreHarness) -> None:
        await keep(store, endpoint(batch=3, linger=2_000_000))
        await deliver(store, sent(1), sent(2))
        assert await take(store) == []
        assert await store.next_endpoint_delivery() == START_US + 2_000_000
        await deliver(store, sent(3), sent(4))
        assert await store.next_endpoint_delivery() == START_US
        assert positions(await take(store)) == [1, 2, 3]
        harness.clock.move(2)
        assert positions(await take(store)) == [4]

    async def test_who_is_given_back_from_a_batch_is_not_a_member(self, store: StoreDriver) -> None:
        await keep(store, endpoint(batch=3))
        await deliver(store, sent(1), sent(2))
        first, second = await take(store)
        await settle(store, second, Result(state="due", outcome="too-large", next_at=START_US, is_spent=False))
        await settle(store, first, again(START_US))
        claimed = await take(store)
        assert sorted((each.delivery.position, each.batch) for each in claimed) == [(1, "e:1#1"), (2, "e:2#2")]
