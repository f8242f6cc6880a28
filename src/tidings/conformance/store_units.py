"""Chapter "units": kept together or not at all, and only by who holds the lease."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tidings.conformance.samples import event
from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_samples import (
    CONSUMER,
    FAILED,
    OTHER,
    TTL,
    claimed,
    claimed_one,
    delivery,
    entry,
    made,
    position_of,
    refused,
    row,
    rows_in,
    table,
    undone,
)
from tidings.errors import CheckpointMovedError, RefusedError, StoreUnavailableError
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewTable
from tidings.store.unit import Unit


async def write_everything(unit: Unit, view: ViewTable) -> None:
    """Do in a unit, once each, all that a unit can do."""
    await unit.sql.execute("INSERT INTO suite_notes VALUES ('kept')")
    await unit.replace(view, [row("a", 1)])
    await unit.put(view, [row("b", 1)])
    await unit.join(view, [(("a",), 1)])
    await unit.park(CONSUMER, "subject/1", [entry(1)], FAILED)
    await unit.intend([delivery("call")])
    await unit.remember("shop", "k", 1)
    unit.emit([event("emitted")])
    unit.advance(to=1)


async def assert_nothing_was_kept(store: StoreDriver, view: ViewTable) -> None:
    """Assert that nothing `write_everything` does is there."""
    assert await rows_in(store, view) == []
    assert await store.parked() == []
    assert await store.deliveries() == []
    assert await position_of(store) == 0
    async with store.unit() as unit:
        assert await unit.sql.fetch("SELECT * FROM suite_notes") == []
        assert await unit.join(view, [(("a",), 1)]) == {(("a",), 1)}
        assert await unit.command("shop", "k") is None
        assert list(await unit.take_outbox(limit=10)) == []


class Keeping:
    """A mixin of `StoreSuite`."""

    @pytest.fixture
    async def view(self, store: StoreDriver) -> ViewTable:
        async with store.unit() as unit:
            await unit.sql.execute("CREATE TABLE suite_notes (note TEXT)")
        return await made(store, table(spans=True))

    async def test_a_checkpoint_moves_with_its_unit(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        async with store.unit(claim) as unit:
            unit.advance(to=5)
            unit.advance(to=7)
        assert await position_of(store) == 7

    async def test_all_partitions_of_a_lane_move_together(self, store: StoreDriver) -> None:
        claims = await claimed(store, partitions=8)
        async with store.unit(*claims[:5]) as unit:
            unit.advance(to=3)
        assert [each.position for each in (await store.checkpoints(CONSUMER)).values()] == [3] * 5 + [0] * 3

    async def test_a_checkpoint_never_moves_back(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        async with store.unit(claim) as unit:
            unit.advance(to=5)
        async with store.unit(claim.at(5)) as unit:
            unit.advance(to=4)
        assert await position_of(store) == 5

    async def test_a_unit_that_moves_nothing_leaves_the_checkpoint(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        async with store.unit(claim):
            pass
        assert await position_of(store) == 0

    async def test_an_exception_takes_everything_back(self, store: StoreDriver, view: ViewTable) -> None:
        claim = await claimed_one(store)
        async with undone(store.unit(claim)) as unit:
            await write_everything(unit, view)
        await assert_nothing_was_kept(store, view)

    async def test_cancelling_takes_everything_back(self, store: StoreDriver, view: ViewTable) -> None:
        claim = await claimed_one(store)
        inside = asyncio.Event()

        async def work() -> None:
            async with store.unit(claim) as unit:
                await write_everything(unit, view)
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_nothing_was_kept(store, view)

    async def test_a_paused_owner_keeps_nothing(
        self, store: StoreDriver, harness: StoreHarness, view: ViewTable
    ) -> None:
        claim = await claimed_one(store)
        harness.clock.move(9)
        [moved] = await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        async with refused(CheckpointMovedError, store.unit(claim)) as unit:
            await write_everything(unit, view)
        await assert_nothing_was_kept(store, view)
        async with store.unit(moved) as unit:
            unit.advance(to=2)
        assert await position_of(store) == 2

    async def test_a_claim_that_is_lost_is_refused_without_an_advance(
        self, store: StoreDriver, harness: StoreHarness, view: ViewTable
    ) -> None:
        claim = await claimed_one(store)
        harness.clock.move(9)
        await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        async with refused(CheckpointMovedError, store.unit(claim)) as unit:
            await unit.replace(view, [row("a", 1)])
        assert await rows_in(store, view) == []

    async def test_one_lost_claim_of_a_lane_refuses_all_of_it(self, store: StoreDriver, harness: StoreHarness) -> None:
        claims = await claimed(store, partitions=4)
        harness.clock.move(9)
        await store.claim(CONSUMER, owner=OTHER, want=1, ttl=TTL)
        async with refused(CheckpointMovedError, store.unit(*claims)) as unit:
            unit.advance(to=1)
        assert {each.position for each in (await store.checkpoints(CONSUMER)).values()} == {0}

    async def test_of_two_units_that_settle_the_same_page_one_is_kept(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        view = await made(store, table())

        async def settle(name: str) -> None:
            async with store.unit(claim) as unit:
                await unit.replace(view, [row(name, 1)])
                unit.advance(to=1)

        outcomes = await asyncio.gather(settle("a"), settle("b"), return_exceptions=True)
        refused = [outcome for outcome in outcomes if outcome is not None]
        assert [type(outcome) for outcome in refused] == [CheckpointMovedError]
        assert len(await rows_in(store, view)) == 1

    async def test_a_row_that_is_read_is_nobody_elses_until_the_end(self, store: StoreDriver) -> None:
        view = await made(store, table())

        async def add() -> None:
            async with store.unit() as unit:
                found = (await unit.rows(view, [("a",)])).get(("a",))
                count = found.values[1] if found else 0
                await unit.replace(view, [row("a", count + 1)])

        await asyncio.gather(*(add() for _ in range(20)))
        assert [each.values for each in await rows_in(store, view)] == [("a", 20)]

    async def test_a_unit_sees_what_it_wrote(self, store: StoreDriver, view: ViewTable) -> None:
        async with store.unit() as unit:
            await write_everything(unit, view)
            assert list(await unit.rows(view, [("a",), ("b",), ("c",)])) == [("a",), ("b",)]
            assert await unit.parked(CONSUMER, ["subject/1", "subject/2"]) == {"subject/1"}
            assert await unit.sql.fetch("SELECT note FROM suite_notes") == [("kept",)]

    async def test_the_handlers_own_writes_are_kept_with_the_checkpoint(
        self, store: StoreDriver, view: ViewTable
    ) -> None:
        claim = await claimed_one(store)
        async with store.unit(claim) as unit:
            assert await unit.sql.execute("INSERT INTO suite_notes VALUES ('a'), ('b')") == 2
            assert await unit.sql.execute("UPDATE suite_notes SET note = 'c' WHERE note = 'b'") == 1
            deleting = "WITH one AS (SELECT 'a') DELETE FROM suite_notes WHERE note IN (SELECT * FROM one)"
            assert await unit.sql.execute(deleting) == 1
            unit.advance(to=1)
        async with store.unit() as unit:
            assert await unit.sql.fetch("SELECT note FROM suite_notes") == [("c",)]
        assert await position_of(store) == 1

    @pytest.mark.parametrize(
        "statement",
        [
            "COMMIT",
            "  rollback",
            "BEGIN",
            "END",
            "SAVEPOINT mine",
            "RELEASE mine",
            "/* so what */ COMMIT",
            "-- so what\nCOMMIT",
            "; commit",
            "",
            "1",
        ],
    )
    async def test_a_handler_cannot_end_the_transaction(
        self, store: StoreDriver, view: ViewTable, statement: str
    ) -> None:
        async with refused(RefusedError, store.unit()) as unit:
            await unit.replace(view, [row("a", 1)])
            await unit.sql.execute(statement)
        assert await rows_in(store, view) == []
        async with store.unit() as unit:
            with pytest.raises(RefusedError):
                await unit.sql.fetch(statement)

    async def test_a_unit_inside_a_unit_is_refused_rather_than_waiting_for_itself(self, store: StoreDriver) -> None:
        async with store.unit():
            with pytest.raises(RefusedError):
                async with store.unit():
                    pass
            with pytest.raises(RefusedError):
                await store.register(CONSUMER, partitions=1, start=0)

    async def test_a_unit_that_has_ended_does_nothing_more(self, store: StoreDriver, view: ViewTable) -> None:
        async with store.unit() as unit:
            pass
        with pytest.raises(RefusedError):
            await unit.replace(view, [row("a", 1)])
        with pytest.raises(RefusedError):
            unit.emit([event("late")])
        with pytest.raises(RefusedError):
            unit.advance(to=1)

    async def test_a_unit_that_is_left_does_nothing_more_from_the_first_moment(
        self, store: StoreDriver, view: ViewTable
    ) -> None:
        done: list[int] = []
        begun = asyncio.Event()

        async def go_on() -> None:
            for n in itertools.count():
                begun.set()
                await unit.replace(view, [row(f"{n:06}", n)])
                done.append(n)
                await asyncio.sleep(0)  # noqa: TID251 - one turn: a back end may put the write off, and so not wait

        async with store.unit() as unit:
            task = asyncio.create_task(go_on())
            await begun.wait()
        with pytest.raises(RefusedError):
            await task
        assert [each.values[1] for each in await rows_in(store, view)] == done

    async def test_what_cannot_be_kept_is_refused_whole_and_can_be_repeated(
        self, store: StoreDriver, harness: StoreHarness, view: ViewTable
    ) -> None:
        claim = await claimed_one(store)

        async def work() -> None:
            async with store.unit(claim) as unit:
                await unit.replace(view, [row(str(n), n) for n in range(2_000)])
                unit.advance(to=1)

        async with harness.breakage():
            with pytest.raises(StoreUnavailableError):
                await work()
        await assert_nothing_was_kept(store, view)
        async with store.unit(claim) as unit:
            await write_everything(unit, view)
        assert await position_of(store) == 1

    async def test_a_closed_store_says_so(self, store: StoreDriver) -> None:
        await store.close()
        await store.close()
        with pytest.raises(StoreUnavailableError):
            await store.consumers()
        with pytest.raises(StoreUnavailableError):
            async with store.unit():
                pass
