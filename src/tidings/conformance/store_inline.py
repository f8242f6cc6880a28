"""Chapter "inline": views that are folded before an append is answered, in its own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tidings.conformance.samples import event, everything, ids_in, keep
from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_samples import (
    CONSUMER,
    OTHER,
    TTL,
    claimed_one,
    entry,
    position_of,
    reason,
    record,
    refused,
    row,
    rows_in,
    table,
)
from tidings.errors import CheckpointMovedError, InlineViewError
from tidings.events.envelope import Entry
from tidings.log.driver import LogDriver, Write
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewRecord
from tidings.store.unit import Unit


class Counting:
    """Inline folds that count the events of each subject, or fail on data that says so."""

    def __init__(self, *records: ViewRecord) -> None:
        self.stamps: Mapping[str, frozenset[str]] = {
            type: frozenset(each.shape for each in records if type in each.types)
            for type in {type for each in records for type in each.types}
        }
        self.calls: list[list[str]] = []

    async def apply(self, unit: Unit, entries: Sequence[Entry], tables: Sequence[ViewRecord]) -> None:
        self.calls.append([each.envelope.id for each in entries])
        for each in tables:
            await self._fold(unit, [one for one in entries if one.envelope.type in each.types], each)

    async def _fold(self, unit: Unit, entries: Sequence[Entry], into: ViewRecord) -> None:
        subjects = sorted({each.envelope.subject or "" for each in entries})
        found = await unit.rows(into.table, [(subject,) for subject in subjects])
        counts = {subject: found[subject,].values[1] if (subject,) in found else 0 for subject in subjects}
        for each in entries:
            subject = each.envelope.subject or ""
            if each.envelope.data == b'"poison"':
                await unit.park("suite.inline", subject, [each], reason(None))
            else:
                counts[subject] += 1
        at = entries[-1].position
        await unit.replace(into.table, [row(subject, count, at=at, position=at) for subject, count in counts.items()])


LIVE = record(table(), mode="inline")
BUILDING = record(table(version=2), "building", mode="inline", shape="shape 2")


class FoldingInline:
    """A mixin of the suite for stores that share their transactions with the log: inline views."""

    async def counts(self, store: StoreDriver, of: ViewRecord = LIVE) -> dict[str, int]:
        return {each.values[0]: each.values[1] for each in await rows_in(store, of.table)}

    async def test_an_append_folds_what_is_new_before_it_is_answered(self, store: StoreDriver, log: LogDriver) -> None:
        folds = Counting(LIVE)
        store.hold_inline(folds)
        await store.create_view(LIVE)
        await keep(log, event("a"), event("b", subject="subject/2"))
        await keep(log, event("a"), event("c"))
        assert await self.counts(store) == {"subject/1": 2, "subject/2": 1}
        await keep(log, event("a"), event("c"))
        assert folds.calls == [["a", "b"], ["c"]]
        assert await ids_in(log) == ["a", "b", "c"]

    async def test_a_refused_write_is_not_folded_and_spoils_no_neighbour(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        store.hold_inline(Counting(LIVE))
        await store.create_view(LIVE)
        await keep(log, event("a"))
        writes = [Write(envelopes=(event("a", data=b"2"), event("x"))), Write(envelopes=(event("b"),))]
        assert [receipt.outcome for receipt in await log.append(writes)] == ["conflict", "appended"]
        assert await self.counts(store) == {"subject/1": 2}

    async def test_what_a_unit_emits_is_folded_too(self, store: StoreDriver, log: LogDriver) -> None:
        store.hold_inline(Counting(LIVE))
        await store.create_view(LIVE)
        claim = await claimed_one(store)
        async with store.unit(claim) as unit:
            unit.emit([event("a"), event("other", type="suite.other")])
            unit.emit([event("b")])
            unit.advance(to=3)
        assert await self.counts(store) == {"subject/1": 2}
        assert [receipt.outcome for receipt in unit.receipts] == ["appended", "appended"]
        assert await position_of(store) == 3

    async def test_what_is_folded_goes_back_with_a_unit_that_is_refused(
        self, store: StoreDriver, log: LogDriver, harness: StoreHarness
    ) -> None:
        store.hold_inline(Counting(LIVE))
        await store.create_view(LIVE)
        claim = await claimed_one(store)
        harness.clock.move(9)
        await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        async with refused(CheckpointMovedError, store.unit(claim)) as unit:
            unit.emit([event("a")])
        assert await self.counts(store) == {}
        assert await ids_in(log) == []

    async def test_other_types_are_not_folded(self, store: StoreDriver, log: LogDriver) -> None:
        folds = Counting(LIVE)
        store.hold_inline(folds)
        await store.create_view(LIVE)
        await keep(log, event("a", type="suite.other"))
        assert folds.calls == []

    async def test_a_failing_fold_parks_its_subject_and_not_the_append(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        store.hold_inline(Counting(LIVE))
        await store.create_view(LIVE)
        await keep(log, event("a", data=b'"poison"'), event("b", subject="subject/2"))
        assert await ids_in(log) == ["a", "b"]
        assert [parked.subject for parked in await store.parked("suite.inline")] == ["subject/1"]
        letters = await store.dead_letters("suite.inline", "subject/1", limit=9)
        assert [letter.entry for letter in letters] == (await everything(log))[:1]

    async def test_who_does_not_hold_the_folds_cannot_append_past_them(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        await store.create_view(LIVE)
        with pytest.raises(InlineViewError):
            await log.append([Write(envelopes=(event("a"),))])
        async with refused(InlineViewError, store.unit()) as unit:
            unit.emit([event("a")])
        store.hold_inline(Counting(BUILDING))
        with pytest.raises(InlineViewError):
            await log.append([Write(envelopes=(event("a"),))])
        await keep(log, event("b", type="suite.other"))
        assert await ids_in(log) == ["b"]

    async def test_from_its_making_on_a_building_table_is_written_too(self, store: StoreDriver, log: LogDriver) -> None:
        store.hold_inline(Counting(LIVE, BUILDING))
        await store.create_view(LIVE)
        await keep(log, event("a"))
        await store.create_view(BUILDING)
        await keep(log, event("b"))
        assert await self.counts(store) == {"subject/1": 2}
        assert await self.counts(store, BUILDING) == {"subject/1": 1}

    async def test_after_the_swap_only_the_new_table_is_written(self, store: StoreDriver, log: LogDriver) -> None:
        store.hold_inline(Counting(LIVE, BUILDING))
        await store.create_view(LIVE)
        await store.create_view(BUILDING)
        assert await store.swap_view(BUILDING, consumer="suite.new", replaced_consumer=None)
        store.hold_inline(Counting(BUILDING))
        await keep(log, event("a"))
        assert await self.counts(store) == {}
        assert await self.counts(store, BUILDING) == {"subject/1": 1}
        await store.drop_view(LIVE)
        await keep(log, event("b"))
        assert await self.counts(store, BUILDING) == {"subject/1": 2}

    async def test_nothing_is_parked_for_a_table_that_takes_the_place_of_another(self, store: StoreDriver) -> None:
        await store.create_view(LIVE)
        await store.create_view(BUILDING)
        for consumer in ("suite.new", "suite.inline"):
            async with store.unit() as unit:
                await unit.park(consumer, "subject/1", [entry(6)], reason(None))
        assert not await store.swap_view(BUILDING, consumer="suite.new", replaced_consumer="suite.inline")
        await store.drop("suite.new", "subject/1", 6, reason="not wanted")
        assert await store.swap_view(BUILDING, consumer="suite.new", replaced_consumer="suite.inline")
        assert await store.parked() == []

    async def test_a_table_that_is_given_up_is_not_waited_for(self, store: StoreDriver, log: LogDriver) -> None:
        store.hold_inline(Counting(LIVE, BUILDING))
        await store.create_view(LIVE)
        await store.create_view(BUILDING)
        await store.drop_view(BUILDING)
        store.hold_inline(Counting(LIVE))
        await keep(log, event("a"))
        assert await self.counts(store) == {"subject/1": 1}

    async def test_two_tables_of_one_shape_are_both_written(self, store: StoreDriver, log: LogDriver) -> None:
        again = replace(BUILDING, shape=LIVE.shape)
        store.hold_inline(Counting(LIVE))
        await store.create_view(LIVE)
        await store.create_view(again)
        await keep(log, event("a"))
        assert await self.counts(store) == await self.counts(store, again) == {"subject/1": 1}
        assert await store.swap_view(again, consumer="suite.new", replaced_consumer=None)
        await keep(log, event("b"))
        assert await self.counts(store) == {"subject/1": 1}
        assert await self.counts(store, again) == {"subject/1": 2}
