"""Chapter "savepoints": a part of a unit is undone, and the rest goes on."""

from __future__ import annotations

from tidings.conformance.store_samples import (
    claimed_one,
    made,
    position_of,
    row,
    rows_in,
    table,
    undone,
)
from tidings.conformance.store_units import write_everything
from tidings.store.driver import StoreDriver


class Undoing:
    """A mixin of `StoreSuite`."""

    async def test_a_savepoint_undoes_what_was_done_in_it_and_the_unit_goes_on(self, store: StoreDriver) -> None:
        claim, view = await claimed_one(store), await made(store, table(spans=True))
        async with store.unit() as unit:
            await unit.sql.execute("CREATE TABLE suite_notes (note TEXT)")
        async with store.unit(claim) as unit:
            await unit.replace(view, [row("before", 1)])
            async with undone(unit.savepoint()):
                await write_everything(unit, view)
            await unit.replace(view, [row("z after", 1)])
            unit.advance(to=1)
        assert [each.values[0] for each in await rows_in(store, view)] == ["before", "z after"]
        assert await store.parked() == []
        assert await store.deliveries() == []
        assert await position_of(store) == 1

    async def test_savepoints_nest(self, store: StoreDriver) -> None:
        view = await made(store, table())
        async with store.unit() as unit:
            async with unit.savepoint():
                await unit.replace(view, [row("a", 1)])
                async with undone(unit.savepoint()), unit.savepoint():
                    await unit.replace(view, [row("b", 1)])
                async with unit.savepoint():
                    await unit.replace(view, [row("c", 1)])
            await unit.replace(view, [row("d", 1)])
        assert [each.values[0] for each in await rows_in(store, view)] == ["a", "c", "d"]

    async def test_many_savepoints_in_one_unit_are_each_their_own(self, store: StoreDriver) -> None:
        view = await made(store, table())
        async with store.unit() as unit:
            for n in range(64):
                async with unit.savepoint() if n % 3 else undone(unit.savepoint()):
                    await unit.replace(view, [row(f"{n:02}", n)])
        assert [each.values[1] for each in await rows_in(store, view)] == [n for n in range(64) if n % 3]
