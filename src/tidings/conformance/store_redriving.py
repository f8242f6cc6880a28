"""Chapter "redriving": what waits goes back to the handler in order, or is given up for a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_samples import (
    CONSUMER,
    OTHER,
    SOON,
    TTL,
    audited,
    claimed_one,
    entry,
    made,
    only_parked,
    park,
    reason,
    record,
    refused,
    table,
    undone,
    waiting,
)
from tidings.errors import CheckpointMovedError, NotFoundError
from tidings.log.driver import Position
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.letters import GivenUp
from tidings.store.rows import ViewTable


async def drop(store: StoreDriver, consumer: str, *positions: Position) -> None:
    """Park an entry at each position, each with a subject of its own, and drop it."""
    for position in positions:
        async with store.unit() as unit:
            await unit.park(consumer, f"subject/{position}", [entry(position)], reason(None))
        await store.drop(consumer, f"subject/{position}", position, reason="not wanted")


async def dropped(store: StoreDriver, view: ViewTable) -> frozenset[Position]:
    async with store.unit() as unit:
        return await unit.dropped(view)


async def replayed(store: StoreDriver, consumer: str, position: Position) -> None:
    async with store.changing(Change(who="cli", what="replay", on=consumer, position=position)):
        pass


class Redriving:
    """A mixin of `StoreSuite`."""

    async def test_a_redrive_counts_its_attempt_first(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), why=reason(SOON))
        attempts = [await store.begin_redrive(claim, "subject/1") for _ in range(2)]
        assert [parked.attempts for parked in attempts if parked] == [2, 3]
        assert (await only_parked(store)).attempts == 3
        assert await store.begin_redrive(claim, "subject/2") is None

    async def test_a_reason_may_say_how_many_attempts_there_were(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), why=replace(reason(None), attempts=6))
        assert (await only_parked(store)).attempts == 6
        await store.reschedule(claim, "subject/1", reason(SOON))
        assert (await only_parked(store)).attempts == 6
        await store.reschedule(claim, "subject/1", replace(reason(None), attempts=8))
        assert (await only_parked(store)).attempts == 8

    async def test_only_the_owner_of_the_partition_redrives(self, store: StoreDriver, harness: StoreHarness) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), why=reason(SOON))
        harness.clock.move(9)
        await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        with pytest.raises(CheckpointMovedError):
            await store.begin_redrive(claim, "subject/1")
        with pytest.raises(CheckpointMovedError):
            await store.reschedule(claim, "subject/1", reason(None))
        parked = await only_parked(store)
        assert (parked.attempts, parked.state) == (1, "retrying")

    async def test_a_redrive_that_is_asked_for_while_another_fails_is_not_taken_back(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), why=reason(SOON))
        await store.begin_redrive(claim, "subject/1")
        await store.schedule_redrive(CONSUMER, "subject/1", at=SOON)
        await store.reschedule(claim, "subject/1", reason(None, error="the last attempt"))
        [due] = await store.due([claim], now=SOON)
        assert (due.state, due.attempts) == ("retrying", 0)

    async def test_an_entry_that_is_dropped_while_it_fails_holds_back_none_behind_it(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), entry(4), why=reason(SOON))
        await store.begin_redrive(claim, "subject/1")
        await store.drop(CONSUMER, "subject/1", 3, reason="not wanted")
        await store.reschedule(claim, "subject/1", reason(None, error="of the dropped one"))
        [due] = await store.due([claim], now=SOON)
        assert (due.state, due.first_position) == ("retrying", 4)

    async def test_a_subject_is_free_with_its_last_entry(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), entry(4), why=reason(SOON))
        for position, left in ((3, [4]), (4, [])):
            async with store.unit(claim) as unit:
                await unit.unpark(CONSUMER, "subject/1", position)
            assert await waiting(store) == left
        assert await store.parked() == []
        async with store.unit() as unit:
            assert await unit.parked(CONSUMER, ["subject/1"]) == frozenset()

    async def test_the_entry_behind_begins_with_attempts_of_its_own(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), entry(4), why=reason(SOON))
        for _ in range(4):
            await store.begin_redrive(claim, "subject/1")
        async with store.unit(claim) as unit:
            await unit.unpark(CONSUMER, "subject/1", 3)
        parked = await only_parked(store)
        assert (parked.attempts, parked.first_position) == (1, 4)

    async def test_unparking_goes_back_with_its_unit(self, store: StoreDriver) -> None:
        await park(store, entry(3), why=reason(SOON))
        async with undone(store.unit()) as unit:
            await unit.unpark(CONSUMER, "subject/1", 3)
        assert await waiting(store) == [3]
        assert (await only_parked(store)).state == "retrying"

    async def test_an_entry_is_unparked_by_one_of_two(self, store: StoreDriver) -> None:
        await park(store, entry(3), why=reason(SOON))
        await store.drop(CONSUMER, "subject/1", 3, reason="not wanted")
        async with refused(NotFoundError, store.unit()) as unit:
            await unit.unpark(CONSUMER, "subject/1", 3)

    async def test_a_failed_redrive_is_put_off_or_given_up(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), why=reason(SOON))
        await store.reschedule(claim, "subject/1", reason(SOON + 7, error="again"))
        assert list(await store.due([claim], now=SOON)) == []
        [due] = await store.due([claim], now=SOON + 7)
        assert due.error == "again"
        await store.reschedule(claim, "subject/1", reason(None, error="enough"))
        parked = await only_parked(store)
        assert (parked.state, parked.error, parked.next_at) == ("dead", "enough", None)

    async def test_an_operator_gives_a_subject_a_full_budget_again(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), why=reason(None))
        await store.begin_redrive(claim, "subject/1")
        await store.schedule_redrive(CONSUMER, "subject/1", at=SOON)
        [due] = await store.due([claim], now=SOON)
        assert (due.state, due.attempts) == ("retrying", 0)
        with pytest.raises(NotFoundError):
            await store.schedule_redrive(CONSUMER, "subject/2", at=SOON)

    async def test_a_dropped_entry_leaves_its_reason_in_the_audit(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await park(store, entry(3))
        await park(store, entry(5, subject="subject/2"))
        await store.drop(CONSUMER, "subject/1", 3, reason="a test order", who="cli")
        harness.clock.move(1)
        await store.drop(CONSUMER, "subject/2", 5, reason="a double")
        audit = await store.audit()
        assert [(each.subject, each.position, each.reason) for each in audit] == [
            ("subject/2", 5, "a double"),
            ("subject/1", 3, "a test order"),
        ]
        change = Change(who="cli", what="drop", on=CONSUMER, subject="subject/1", position=3, reason="a test order")
        assert audit[1] == audited(change, n=audit[1].n)
        assert len(await store.audit(limit=1)) == 1
        assert await store.parked() == []

    async def test_how_an_entry_was_given_up_is_known_until_it_comes_again(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await drop(store, CONSUMER, 3, 5)
        harness.clock.move(1)
        first = await store.given_up(CONSUMER, 3)
        assert first == GivenUp(at=harness.clock.now_us() - 1_000_000, who="", reason="not wanted")
        assert await store.given_up(CONSUMER, 4) is None
        assert await store.given_up(f"{CONSUMER}x", 3) is None
        await replayed(store, CONSUMER, 4)
        await replayed(store, f"{CONSUMER}x", 1)
        assert (await store.given_up(CONSUMER, 3), await store.given_up(CONSUMER, 5)) == (first, None)
        await replayed(store, CONSUMER, 3)
        assert await store.given_up(CONSUMER, 3) is None
        await drop(store, CONSUMER, 3)
        assert await store.given_up(CONSUMER, 3) == replace(first, at=harness.clock.now_us())

    async def test_how_an_entry_was_given_up_is_known_of_a_table_that_gave_it_up_with_another(
        self, store: StoreDriver
    ) -> None:
        first = await made(store, table(version=1))
        await drop(store, first.consumer, 3)
        second = table(version=2)
        await store.create_view(record(second, "building", shape="another"))
        await drop(store, first.consumer, 4)
        found = {(view, at): await store.given_up(view, at) for view in (first, second) for at in (3, 4, 5)}
        assert {(view.version, at) for (view, at), given_up in found.items() if given_up} == {(1, 3), (1, 4), (2, 3)}

    async def test_followers_of_a_dropped_entry_flow_on_at_once(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), entry(4), why=reason(None))
        await store.drop(CONSUMER, "subject/1", 3, reason="cannot be read")
        [due] = await store.due([claim], now=harness.clock.now_us())
        assert (due.first_position, due.attempts) == (4, 0)

    async def test_dropping_a_follower_does_not_wake_who_it_waits_for(self, store: StoreDriver) -> None:
        await park(store, entry(3), entry(4), why=reason(None))
        await store.drop(CONSUMER, "subject/1", 4, reason="not wanted")
        parked = await only_parked(store)
        assert (parked.state, parked.first_position, parked.entries) == ("dead", 3, 1)

    async def test_dropping_what_is_not_there_leaves_no_trace(self, store: StoreDriver) -> None:
        await park(store, entry(3))
        with pytest.raises(NotFoundError):
            await store.drop(CONSUMER, "subject/1", 4, reason="a slip")
        with pytest.raises(NotFoundError):
            await store.drop(CONSUMER, "subject/9", 3, reason="a slip")
        assert list(await store.audit()) == []
        assert await waiting(store) == [3]

    async def test_what_is_dropped_for_a_table_is_given_up_for_it(self, store: StoreDriver) -> None:
        first = await made(store, table(version=1))
        assert await dropped(store, first) == frozenset()
        await drop(store, first.consumer, 5, 3)
        assert await dropped(store, first) == {3, 5}
        await drop(store, CONSUMER, 6)
        async with store.unit() as unit:
            await unit.park(first.consumer, "subject/7", [entry(7)], reason(None))
        assert await dropped(store, first) == {3, 5}

    async def test_a_table_gives_up_what_was_dropped_for_the_view_before_it_was_made(self, store: StoreDriver) -> None:
        first = await made(store, table(version=1))
        await drop(store, first.consumer, 3)
        second, tenth = (table(version=version) for version in (2, 10))
        for later in (second, tenth):
            await store.create_view(record(later, "building", shape=f"shape {later.version}"))
        await drop(store, first.consumer, 4)
        await drop(store, second.consumer, 5)
        assert await dropped(store, first) == {3, 4}
        assert await dropped(store, second) == {3, 5}
        assert await dropped(store, tenth) == {3}

    async def test_what_is_given_up_outlives_the_table_that_it_was_dropped_for(self, store: StoreDriver) -> None:
        first = record(table(version=1), "building")
        await store.create_view(first)
        await drop(store, first.table.consumer, 3)
        await store.drop_view(first)
        await store.forget(first.table.consumer)
        assert await dropped(store, await made(store, table(version=2))) == {3}

    @pytest.mark.parametrize(
        "other", ["suite.sampled@1", "suite.sample_a@1", "suite.samplea", "suite", "suit.sample@1"]
    )
    async def test_views_of_other_names_give_up_nothing_for_each_other(self, store: StoreDriver, other: str) -> None:
        await drop(store, other, 3)
        assert await dropped(store, await made(store, table(version=2))) == frozenset()
