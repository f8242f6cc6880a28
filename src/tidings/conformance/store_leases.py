"""Chapter "leases": who may move a checkpoint, and what becomes of it."""

from __future__ import annotations

import pytest

from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_samples import (
    CONSUMER,
    OTHER,
    OWNER,
    TTL,
    claimed,
    claimed_one,
    entry,
    park,
    position_of,
    refused,
    waiting,
)
from tidings.errors import CheckpointMovedError, NotFoundError, RefusedError
from tidings.store.claims import Claim
from tidings.store.driver import StoreDriver


class Leasing:
    """A mixin of `StoreSuite`."""

    async def test_a_new_consumer_starts_where_it_is_told_to(self, store: StoreDriver) -> None:
        await store.register(CONSUMER, partitions=4, start=7)
        checkpoints = await store.checkpoints(CONSUMER)
        assert list(checkpoints) == [0, 1, 2, 3]
        assert {(each.position, each.gate, each.owner, each.paused) for each in checkpoints.values()} == {
            (7, 0, None, None)
        }

    async def test_registering_again_changes_nothing(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        async with store.unit(claim) as unit:
            unit.advance(to=5)
        before = await store.checkpoints(CONSUMER)
        await store.register(CONSUMER, partitions=1, start=0)
        assert await store.checkpoints(CONSUMER) == before
        with pytest.raises(RefusedError, match="1 partitions, not 2"):
            await store.register(CONSUMER, partitions=2, start=0)

    async def test_consumers_are_listed_by_name_until_they_are_forgotten(self, store: StoreDriver) -> None:
        for name in ("zebra", "ant", "moth"):
            await store.register(name, partitions=2, start=0)
        assert list(await store.consumers()) == ["ant", "moth", "zebra"]
        await store.forget("moth")
        assert list(await store.consumers()) == ["ant", "zebra"]
        assert await store.checkpoints("moth") == {}

    async def test_forgetting_a_consumer_takes_its_parked_subjects_along(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(1))
        await store.forget(CONSUMER)
        assert await store.parked() == []
        assert await waiting(store) == []
        with pytest.raises(CheckpointMovedError):
            async with store.unit(claim):
                pass

    async def test_a_claim_says_what_its_partition_is(self, store: StoreDriver) -> None:
        await store.register(CONSUMER, partitions=4, start=3)
        claims = await store.claim(CONSUMER, owner=OWNER, want=2, ttl=TTL)
        assert [claim.part for claim in claims] == [0, 1]
        assert [claim.slots for claim in claims] == [(0, 256), (256, 512)]
        assert {(claim.position, claim.gate, claim.expired) for claim in claims} == {(3, 0, False)}
        checkpoint = (await store.checkpoints(CONSUMER))[0]
        assert (checkpoint.owner, checkpoint.epoch) == (OWNER, claims[0].epoch)

    async def test_nobody_claims_what_another_holds(self, store: StoreDriver) -> None:
        await store.register(CONSUMER, partitions=4, start=0)
        first = await store.claim(CONSUMER, owner=OWNER, want=3, ttl=TTL)
        second = await store.claim(CONSUMER, owner=OTHER, want=4, ttl=TTL)
        assert [claim.part for claim in first] == [0, 1, 2]
        assert [claim.part for claim in second] == [3]
        assert list(await store.claim(CONSUMER, owner=OWNER, want=4, ttl=TTL)) == []

    async def test_nothing_is_claimed_of_an_unknown_consumer(self, store: StoreDriver) -> None:
        assert list(await store.claim("nobody", owner=OWNER, want=1, ttl=TTL)) == []
        assert await store.checkpoints("nobody") == {}

    async def test_a_lease_moves_once_its_time_is_over(self, store: StoreDriver, harness: StoreHarness) -> None:
        claim = await claimed_one(store)
        harness.clock.move(TTL.total_seconds() - 0.001)
        assert list(await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)) == []
        harness.clock.move(0.001)
        [moved] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        assert moved.expired
        assert moved.epoch > claim.epoch

    async def test_a_renewed_lease_does_not_move(self, store: StoreDriver, harness: StoreHarness) -> None:
        claims = await claimed(store, partitions=2)
        for _ in range(5):
            harness.clock.move(6)
            assert tuple(await store.renew(claims, ttl=TTL)) == claims
        assert list(await store.claim(CONSUMER, owner=OTHER, want=2, ttl=TTL)) == []

    async def test_only_leases_that_are_still_ours_are_renewed(self, store: StoreDriver, harness: StoreHarness) -> None:
        claims = await claimed(store, partitions=2)
        harness.clock.move(9)
        [taken] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        assert [claim.part for claim in await store.renew(claims, ttl=TTL)] == [1 - taken.part]
        assert (await store.checkpoints(CONSUMER))[taken.part].owner == OTHER

    async def test_a_released_lease_moves_at_once_and_did_not_expire(self, store: StoreDriver) -> None:
        await store.release(await claimed(store, partitions=2))
        claims = await store.claim(CONSUMER, owner=OTHER, want=2, ttl=TTL)
        assert [claim.expired for claim in claims] == [False, False]

    async def test_releasing_late_takes_nothing_from_the_next_owner(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        claim = await claimed_one(store)
        harness.clock.move(9)
        [moved] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        await store.release([claim])
        assert list(await store.renew([moved], ttl=TTL)) == [moved]

    async def test_the_lease_of_a_dead_process_moves_at_once_and_is_expired(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await claimed_one(store, owner=harness.owner_that_is_gone())
        [moved] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        assert moved.expired

    async def test_who_asks_for_partitions_is_seen_until_its_time_is_over(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await claimed(store, partitions=2)
        assert await store.asking(CONSUMER) == frozenset()
        await store.ask(CONSUMER, owner=OTHER, ttl=TTL)
        harness.clock.move(TTL.total_seconds() - 1)
        await store.ask(CONSUMER, owner="a third", ttl=TTL)
        assert await store.asking(CONSUMER) == {OTHER, "a third"}
        assert await store.asking("another consumer") == frozenset()
        harness.clock.move(1)
        assert await store.asking(CONSUMER) == {"a third"}
        await store.ask(CONSUMER, owner=OTHER, ttl=TTL)
        assert await store.asking(CONSUMER) == {OTHER, "a third"}

    async def test_who_is_given_a_partition_asks_no_more(self, store: StoreDriver) -> None:
        claims = await claimed(store, partitions=2)
        await store.ask(CONSUMER, owner=OTHER, ttl=TTL)
        assert list(await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)) == []
        assert await store.asking(CONSUMER) == {OTHER}
        await store.release(claims[:1])
        assert len(await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)) == 1
        assert await store.asking(CONSUMER) == frozenset()

    async def test_whose_leases_a_pause_or_a_replay_ends_asks_for_as_long_as_these_had_lasted(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await store.register(CONSUMER, partitions=2, start=0)
        for is_pause in (True, False):
            await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
            harness.clock.move(1)
            await store.claim(CONSUMER, owner="a third", want=1, ttl=TTL)
            await store.pause(CONSUMER, "why") if is_pause else await store.rewind(CONSUMER, to=0)
            await store.pause(CONSUMER, None)
            assert await store.asking(CONSUMER) == {OTHER, "a third"}
            harness.clock.move(TTL.total_seconds() - 1)
            assert await store.asking(CONSUMER) == {"a third"}
            harness.clock.move(1)
            assert await store.asking(CONSUMER) == frozenset()

    async def test_the_dead_and_the_forgotten_ask_for_nothing(self, store: StoreDriver, harness: StoreHarness) -> None:
        await claimed(store, partitions=2)
        await store.ask(CONSUMER, owner=harness.owner_that_is_gone(), ttl=TTL)
        assert await store.asking(CONSUMER) == frozenset()
        await store.ask(CONSUMER, owner=OTHER, ttl=TTL)
        await store.forget(CONSUMER)
        assert await store.asking(CONSUMER) == frozenset()

    async def test_attempts_of_one_entry_are_counted_across_owners(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        claim = await claimed_one(store)
        assert [await store.begin_attempt(claim, 5) for _ in range(2)] == [1, 2]
        harness.clock.move(9)
        [moved] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        assert await store.begin_attempt(moved, 5) == 3
        assert await store.begin_attempt(moved, 6) == 1

    async def test_who_lost_the_lease_counts_no_attempt(self, store: StoreDriver, harness: StoreHarness) -> None:
        claim = await claimed_one(store)
        harness.clock.move(9)
        [moved] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        with pytest.raises(CheckpointMovedError):
            await store.begin_attempt(claim, 5)
        assert await store.begin_attempt(moved, 5) == 1

    async def test_a_paused_consumer_is_claimed_by_nobody(self, store: StoreDriver, harness: StoreHarness) -> None:
        await claimed(store, partitions=2)
        await store.pause(CONSUMER, "20 subjects in a row failed")
        harness.clock.move(9)
        assert list(await store.claim(CONSUMER, owner=OTHER, want=2, ttl=TTL)) == []
        assert {each.paused for each in (await store.checkpoints(CONSUMER)).values()} == {"20 subjects in a row failed"}
        await store.pause(CONSUMER, None)
        claims = await store.claim(CONSUMER, owner=OTHER, want=2, ttl=TTL)
        assert [claim.expired for claim in claims] == [False, False]

    async def test_a_pause_refuses_what_is_under_way(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await store.pause(CONSUMER, "a broken release")
        assert list(await store.renew([claim], ttl=TTL)) == []
        async with refused(CheckpointMovedError, store.unit(claim)) as unit:
            unit.advance(to=1)
        assert await position_of(store) == 0

    async def test_nothing_is_done_to_a_consumer_that_is_not_there(self, store: StoreDriver) -> None:
        with pytest.raises(NotFoundError):
            await store.pause("nobody", "why")
        with pytest.raises(NotFoundError):
            await store.rewind("nobody", to=0)
        await store.forget("nobody")

    async def test_a_rewind_goes_back_and_sets_the_gate(self, store: StoreDriver) -> None:
        claim = await self._advanced(store, await claimed_one(store), to=9)
        await store.rewind(CONSUMER, to=4)
        async with refused(CheckpointMovedError, store.unit(claim)) as unit:
            unit.advance(to=10)
        [again] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        assert (again.position, again.gate, again.expired) == (4, 9, False)

    async def test_a_second_rewind_keeps_the_higher_gate(self, store: StoreDriver) -> None:
        await self._advanced(store, await claimed_one(store), to=9)
        await store.rewind(CONSUMER, to=0)
        [again] = await store.claim(CONSUMER, owner=OWNER, want=1, ttl=TTL)
        await self._advanced(store, again, to=3)
        await store.rewind(CONSUMER, to=1)
        [again] = await store.claim(CONSUMER, owner=OWNER, want=1, ttl=TTL)
        assert (again.position, again.gate) == (1, 9)

    async def test_after_a_rewind_attempts_are_counted_anew(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        assert [await store.begin_attempt(claim, 5) for _ in range(3)] == [1, 2, 3]
        await store.rewind(CONSUMER, to=0)
        [again] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        assert [await store.begin_attempt(again, 5) for _ in range(2)] == [1, 2]

    async def test_a_rewind_moves_nobody_forward(self, store: StoreDriver) -> None:
        await self._advanced(store, await claimed_one(store), to=3)
        await store.rewind(CONSUMER, to=8)
        assert await position_of(store) == 3

    async def test_a_skip_moves_forward_what_stands_before_it_and_ends_its_lease(self, store: StoreDriver) -> None:
        first, second = await claimed(store, partitions=2)
        await self._advanced(store, second, to=9)
        assert await store.begin_attempt(first, 1) == 1
        await store.skip(CONSUMER, to=4)
        async with refused(CheckpointMovedError, store.unit(first)) as unit:
            unit.advance(to=10)
        await self._advanced(store, second.at(9), to=11)
        [again] = await store.claim(CONSUMER, owner=OTHER, want=2, ttl=TTL)
        assert (again.part, again.position, again.gate, again.expired) == (first.part, 4, first.gate, False)
        assert await store.begin_attempt(again, 1) == 1
        with pytest.raises(NotFoundError):
            await store.skip("nobody", to=4)

    async def _advanced(self, store: StoreDriver, claim: Claim, *, to: int) -> Claim:
        async with store.unit(claim) as unit:
            unit.advance(to=to)
        return claim.at(to)
