"""Chapter "parking": a subject that fails waits with all that follows, and nobody else does."""

from __future__ import annotations

import pytest

from tidings.conformance.samples import event
from tidings.conformance.store_harness import START_US, StoreHarness
from tidings.conformance.store_samples import (
    CONSUMER,
    SOON,
    claimed,
    claimed_one,
    entry,
    only_parked,
    park,
    reason,
    waiting,
)
from tidings.errors import RefusedError
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import lane_subject, slot_of
from tidings.store.driver import StoreDriver
from tidings.store.parking import Parked


class Parking:
    """A mixin of `StoreSuite`."""

    async def test_a_parked_subject_says_why_and_since_when(self, store: StoreDriver) -> None:
        await claimed_one(store)
        await park(store, entry(3), why=reason(SOON, error="KeyError: 'x'"))
        assert await only_parked(store) == Parked(
            consumer=CONSUMER,
            subject="subject/1",
            part=0,
            state="retrying",
            attempts=1,
            next_at=SOON,
            reason="handler-failed",
            error="KeyError: 'x'",
            first_position=3,
            parked_at=START_US,
            entries=1,
        )

    async def test_what_need_not_be_tried_again_is_dead(self, store: StoreDriver) -> None:
        await park(store, entry(3), why=reason(None, kind="undecodable"))
        parked = await only_parked(store)
        assert (parked.state, parked.next_at, parked.reason) == ("dead", None, "undecodable")

    async def test_entries_are_set_aside_as_they_were_stored(self, store: StoreDriver) -> None:
        whole = Envelope(
            id="whole",
            source="urn:suite",
            type="suite.whole",
            version=3,
            subject="subject/1",
            time="2024-02-29T23:59:60+02:00",
            time_stamped=True,
            attributes={"flag": True, "count": -5, "text": "é"},
            data=b"\x00\xff not JSON",
        )
        entries = [Entry(3, 77, whole), Entry(9, 78, event("9", data=None)), entry(12)]
        await park(store, *entries)
        letters = await store.dead_letters(CONSUMER, "subject/1", limit=10)
        assert [letter.entry for letter in letters] == entries
        assert {(letter.consumer, letter.subject) for letter in letters} == {(CONSUMER, "subject/1")}

    async def test_followers_wait_behind_and_change_nothing_of_the_reason(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        await park(store, entry(3), why=reason(SOON))
        before = await only_parked(store)
        harness.clock.move(60)
        await park(store, entry(4), entry(7), why=None)
        assert await waiting(store) == [3, 4, 7]
        after = await only_parked(store)
        assert after.entries == 3
        assert (after.attempts, after.next_at, after.parked_at) == (before.attempts, before.next_at, before.parked_at)

    async def test_an_entry_that_comes_twice_waits_once(self, store: StoreDriver) -> None:
        await park(store, entry(3))
        await park(store, entry(3), entry(4), why=None)
        await park(store, entry(4), why=None)
        assert await waiting(store) == [3, 4]

    async def test_followers_come_out_in_log_order_whatever_order_they_came_in(self, store: StoreDriver) -> None:
        await park(store, entry(50))
        for n in (70, 20, 1_000_000, 60):
            await park(store, entry(n), why=None)
        assert await waiting(store) == [20, 50, 60, 70, 1_000_000]
        assert (await only_parked(store)).first_position == 20

    async def test_nothing_follows_a_subject_that_is_not_parked(self, store: StoreDriver) -> None:
        with pytest.raises(RefusedError):
            await park(store, entry(3), why=None)
        assert await waiting(store) == []

    async def test_a_new_reason_replaces_the_old_one(self, store: StoreDriver) -> None:
        await park(store, entry(3), why=reason(SOON))
        await park(store, entry(4), why=reason(None, kind="process-died", error=""))
        parked = await only_parked(store)
        assert (parked.state, parked.reason, parked.next_at, parked.entries) == ("dead", "process-died", None, 2)

    async def test_many_subjects_are_looked_up_at_once(self, store: StoreDriver) -> None:
        subjects = [f"subject/{n}" for n in range(700)]
        async with store.unit() as unit:
            for n in range(0, 700, 7):
                await unit.park(CONSUMER, subjects[n], [entry(n + 1, subject=subjects[n])], reason(None))
        async with store.unit() as unit:
            assert await unit.parked(CONSUMER, subjects) == set(subjects[::7])
            assert await unit.parked("another consumer", subjects) == frozenset()
            assert await unit.parked(CONSUMER, []) == frozenset()

    async def test_an_entry_without_a_subject_parks_alone(self, store: StoreDriver) -> None:
        alone = entry(3, subject=None)
        own = lane_subject(alone.envelope.source, alone.envelope.id, None)
        async with store.unit() as unit:
            await unit.park(CONSUMER, own, [alone], reason(None))
        async with store.unit() as unit:
            assert await unit.parked(CONSUMER, [own, "subject/1", ""]) == {own}
        assert [letter.entry for letter in await store.dead_letters(CONSUMER, own, limit=9)] == [alone]

    async def test_subjects_are_due_for_who_holds_their_partition(
        self, store: StoreDriver, harness: StoreHarness
    ) -> None:
        claims = await claimed(store, partitions=4)
        subjects = [f"subject/{n}" for n in range(40)]
        async with store.unit() as unit:
            for n, subject in enumerate(subjects):
                await unit.park(CONSUMER, subject, [entry(n + 1, subject=subject)], reason(SOON))
        now = harness.clock.now_us()
        assert list(await store.due(claims, now=now)) == []
        due = [{parked.subject for parked in await store.due([claim], now=SOON)} for claim in claims]
        for claim, found in zip(claims, due, strict=True):
            first, end = claim.slots
            assert found == {subject for subject in subjects if first <= slot_of("", "", subject) < end}
        assert sum(len(found) for found in due) == 40
        assert len(await store.due(claims, now=SOON)) == 40
        assert list(await store.due([], now=SOON)) == []

    async def test_the_dead_are_never_due(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await park(store, entry(3), why=reason(None))
        assert list(await store.due([claim], now=SOON * 2)) == []
        assert await store.next_due() is None

    async def test_the_next_retry_is_known(self, store: StoreDriver) -> None:
        await park(store, entry(3), why=reason(SOON + 5))
        await park(store, entry(4, subject="subject/2"), why=reason(SOON))
        assert await store.next_due() == SOON

    async def test_parked_subjects_are_listed_oldest_first(self, store: StoreDriver, harness: StoreHarness) -> None:
        for n, subject in enumerate(["z", "a", "m"]):
            await park(store, entry(n + 1, subject=subject))
            harness.clock.move(1)
        assert [parked.subject for parked in await store.parked(CONSUMER)] == ["z", "a", "m"]
        assert [parked.subject for parked in await store.parked()] == ["z", "a", "m"]
        assert await store.parked("another consumer") == []
