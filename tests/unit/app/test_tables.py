from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.app.shop import OrderPlaced, eventually, in_file, shop
from tidings.app.opened import Opened
from tidings.errors import ShapeChangedError


async def values(opened: Opened, view: str) -> list[tuple[Any, ...]]:
    current = await opened.tables.of(next(spec for spec in opened.views if spec.name == view))
    return (
        []
        if current is None
        else [row.values for row in await opened.store.select(current.table, equal={}, after=None, limit=100)]
    )


async def test_a_view_of_a_new_version_is_built_anew_while_the_old_one_is_read(tmp_path: Path) -> None:
    old, new = shop(), shop(version=2, factor=100)
    async with old.open(in_file(tmp_path)) as opened:
        await old.publish(OrderPlaced("1", 5), source="/web", id="a")

        async def is_folded() -> bool:
            return await values(opened, "order") == [("1", 5, True)]

        await eventually(is_folded)
    async with new.open(in_file(tmp_path)) as opened:
        assert await values(opened, "receipt") == [("1", 500)]  # an inline view is whole before anybody can append

        async def is_rebuilt() -> bool:
            return await values(opened, "order") == [("1", 500, True)]

        await eventually(is_rebuilt)
        await new.publish(OrderPlaced("2", 7), source="/web", id="b")

        async def is_kept_up() -> bool:
            return await values(opened, "order") == [("1", 500, True), ("2", 700, True)]

        await eventually(is_kept_up)


async def test_a_view_that_changed_under_its_version_stops_the_start(tmp_path: Path) -> None:
    from tidings import App, Service

    async with shop().open(in_file(tmp_path), consume=False):
        pass
    other = Service("orders")

    @other.view(key=("order_id",))
    class Order:
        order_id: str

    @other.fold(Order, OrderPlaced)
    def placed(row: Order | None, event: OrderPlaced) -> Order:
        return Order(event.order_id)

    with pytest.raises(ShapeChangedError, match="version=2"):
        async with App(other).open(in_file(tmp_path), consume=False):
            pass


async def test_what_breaks_a_rebuild_is_raised_as_it_is(tmp_path: Path) -> None:
    app = shop()
    async with app.open(in_file(tmp_path), consume=False) as opened:
        await app.publish(OrderPlaced("1", 5), source="/web", id="a")
        spec = next(spec for spec in opened.views if spec.name == "order")

        def broken(*, at: int, head: int) -> None:
            raise ValueError("nobody listens")

        with pytest.raises(ValueError, match="nobody listens"):
            await opened.carrying.rebuild(spec, progress=broken)


async def test_a_table_that_another_process_swaps_is_carried_on_here(tmp_path: Path) -> None:
    here, elsewhere = shop(), shop()
    async with here.open(in_file(tmp_path)) as opened:
        await here.publish(OrderPlaced("1", 5), source="/web", id="a")
        async with elsewhere.open(in_file(tmp_path), consume=False) as other:
            for spec in other.views:
                await other.carrying.rebuild(spec)
        await here.publish(OrderPlaced("2", 7), source="/web", id="b")

        async def is_carried_on() -> bool:
            return await values(opened, "order") == [("1", 5, True), ("2", 7, True)]

        await eventually(is_carried_on)
        assert await values(opened, "receipt") == [("1", 5), ("2", 7)]
        current = await opened.tables.of(next(spec for spec in opened.views if spec.name == "order"))
        assert current is not None
        assert current.table.version == 2
