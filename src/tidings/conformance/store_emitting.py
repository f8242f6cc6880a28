"""Chapter "emitting": what a unit emits is appended with it, or, where the log is elsewhere, waits in the outbox."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tidings.conformance.samples import SOURCE, event, everything, ids_in, keep
from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_samples import (
    CONSUMER,
    OTHER,
    TTL,
    claimed_one,
    made,
    position_of,
    record,
    refused,
    row,
    rows_in,
    table,
    undone,
)
from tidings.errors import AppendInUnitError, CheckpointMovedError, ConflictError, RefusedError
from tidings.log.driver import LogDriver, Write
from tidings.store.driver import StoreDriver
from tidings.store.staging import Waiting


class Emitting:
    """A mixin of the suite for stores that share their transactions with the log."""

    async def test_what_is_emitted_is_appended_with_the_unit(self, store: StoreDriver, log: LogDriver) -> None:
        claim = await claimed_one(store)
        async with store.unit(claim) as unit:
            unit.emit([event("a"), event("b")])
            unit.emit([])
            unit.emit([event("c", subject=None)])
            unit.advance(to=1)
        assert await ids_in(log) == ["a", "b", "c"]
        positions = [each.position for each in await everything(log)]
        assert [receipt.positions for receipt in unit.receipts] == [tuple(positions[:2]), (), tuple(positions[2:])]
        assert await position_of(store) == 1

    async def test_what_is_emitted_goes_back_with_the_unit(
        self, store: StoreDriver, log: LogDriver, harness: StoreHarness
    ) -> None:
        claim = await claimed_one(store)
        async with undone(store.unit(claim)) as unit:
            unit.emit([event("a")])
        harness.clock.move(9)
        await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        async with refused(CheckpointMovedError, store.unit(claim)) as unit:
            unit.emit([event("a")])
            unit.advance(to=1)
        assert await ids_in(log) == []
        assert (await log.head()).position == 0

    async def test_a_savepoint_undoes_what_was_emitted_in_it(self, store: StoreDriver, log: LogDriver) -> None:
        async with store.unit() as unit:
            unit.emit([event("before")])
            async with undone(unit.savepoint()):
                unit.emit([event("inside")])
            async with unit.savepoint():
                unit.emit([event("kept")])
        assert await ids_in(log) == ["before", "kept"]
        assert len(unit.receipts) == 2

    async def test_what_was_emitted_before_is_a_duplicate(self, store: StoreDriver, log: LogDriver) -> None:
        first = await keep(log, event("a"))
        async with store.unit() as unit:
            unit.emit([event("a")])
            unit.emit([event("a"), event("b")])
        assert [receipt.outcome for receipt in unit.receipts] == ["duplicate", "appended"]
        assert unit.receipts[0].positions == first.positions
        assert await ids_in(log) == ["a", "b"]

    async def test_an_id_that_is_emitted_twice_in_a_unit_is_one_entry(self, store: StoreDriver, log: LogDriver) -> None:
        async with store.unit() as unit:
            unit.emit([event("a"), event("a")])
            unit.emit([event("b"), event("a")])
            unit.emit([event("b")])
        entries = await everything(log)
        assert [each.envelope.id for each in entries] == ["a", "b"]
        a, b = [each.position for each in entries]
        assert [receipt.positions for receipt in unit.receipts] == [(a, a), (b, a), (b,)]
        assert [receipt.outcome for receipt in unit.receipts] == ["appended", "appended", "duplicate"]

    @pytest.mark.parametrize("known", ["in the log", "in the unit"])
    async def test_other_content_under_an_id_keeps_nothing_of_the_unit(
        self, store: StoreDriver, log: LogDriver, known: str
    ) -> None:
        claim, view = await claimed_one(store), await made(store, table())
        if known == "in the log":
            await keep(log, event("a"))
        before = await ids_in(log)

        async def emit() -> None:
            async with store.unit(claim) as unit:
                await unit.replace(view, [row("a", 1)])
                unit.emit([event("new")])
                unit.emit([event("a")])
                unit.emit([event("a", data=b"2")])
                unit.advance(to=1)

        with pytest.raises(ConflictError) as error:
            await emit()
        conflict = error.value.conflict
        assert (conflict.kind, conflict.source, conflict.id) == ("id", SOURCE, "a")
        assert await ids_in(log) == before
        assert await rows_in(store, view) == []
        assert await position_of(store) == 0

    async def test_what_is_emitted_while_the_unit_is_left_is_refused_and_not_lost(
        self, store: StoreDriver, log: LogDriver
    ) -> None:
        emitted: list[str] = []
        begun = asyncio.Event()

        async def go_on() -> None:
            for n in itertools.count():
                unit.emit([event(str(n))])
                emitted.append(str(n))
                begun.set()
                await unit.sql.fetch("SELECT 1")

        async with store.unit() as unit:
            task = asyncio.create_task(go_on())
            await begun.wait()
        with pytest.raises(RefusedError):
            await task
        assert await ids_in(log) == emitted

    async def test_a_task_that_outlives_its_unit_is_as_free_as_any(self, store: StoreDriver, log: LogDriver) -> None:
        begun, over = asyncio.Event(), asyncio.Event()

        async def later() -> None:
            begun.set()
            await over.wait()
            await log.append([Write(envelopes=(event("a"),))])
            async with store.unit() as other:
                other.emit([event("b")])

        async with store.unit():
            task = asyncio.create_task(later())
            await begun.wait()
        over.set()
        await task
        assert await ids_in(log) == ["a", "b"]

    async def test_the_log_cannot_be_appended_to_inside_a_unit(self, store: StoreDriver, log: LogDriver) -> None:
        async with store.unit():
            with pytest.raises(AppendInUnitError):
                await log.append([Write(envelopes=(event("a"),))])
        assert await ids_in(log) == []


class Staging:
    """A mixin of the suite for stores whose log is elsewhere."""

    async def staged(self, store: StoreDriver) -> list[str]:
        found: list[str] = []
        async with undone(store.unit()) as unit:
            found += [each.envelope.id for each in await unit.take_outbox(limit=1_000)]
        return found

    async def test_what_is_emitted_waits_in_the_outbox_in_order(self, store: StoreDriver) -> None:
        given = [event(str(n), subject=None if n % 2 else "s", data=None if n % 3 else b"\x00\xff") for n in range(600)]
        async with store.unit() as unit:
            unit.emit(given[:1])
            unit.emit(given[1:500])
        async with store.unit() as unit:
            unit.emit(given[500:])
        assert list(unit.receipts) == []
        async with store.unit() as unit:
            taken = await unit.take_outbox(limit=1_000)
        assert [each.envelope for each in taken] == given
        assert [each.n for each in taken] == sorted({each.n for each in taken})
        assert await self.staged(store) == []

    async def test_what_is_taken_comes_back_if_the_unit_rolls_back(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            unit.emit([event("a"), event("b"), event("c")])
        async with undone(store.unit()) as unit:
            assert len(await unit.take_outbox(limit=2)) == 2
        async with store.unit() as unit:
            assert [each.envelope.id for each in await unit.take_outbox(limit=2)] == ["a", "b"]
        assert await self.staged(store) == ["c"]

    async def test_what_waits_is_counted_and_the_first_of_it_has_an_age(
        self, harness: StoreHarness, store: StoreDriver
    ) -> None:
        assert await store.waiting(most=10) == Waiting(envelopes=0, age=0)
        for id in "abc":
            async with store.unit() as unit:
                unit.emit([event(id)])
            harness.clock.move(1)
        assert await store.waiting(most=10) == Waiting(envelopes=3, age=3_000_000)
        assert await store.waiting(most=2) == Waiting(envelopes=2, age=3_000_000)
        async with store.unit() as unit:
            await unit.take_outbox(limit=1)
        assert await store.waiting(most=10) == Waiting(envelopes=2, age=2_000_000)

    async def test_what_is_emitted_goes_back_with_its_unit(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        await store.release([claim])
        await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        async with refused(CheckpointMovedError, store.unit(claim)) as unit:
            unit.emit([event("a")])
        async with store.unit() as unit, undone(unit.savepoint()):
            unit.emit([event("b")])
        assert await self.staged(store) == []

    async def test_a_view_cannot_be_inline_where_the_log_is_elsewhere(self, store: StoreDriver) -> None:
        with pytest.raises(RefusedError):
            await store.create_view(record(table(), mode="inline"))
        assert await store.views() == []
