from __future__ import annotations

import pytest

from tests.unit.operations.stage import OrderPaid, OrderPlaced, OrderWithdrawn, RateSet, Stage
from tidings.errors import NotFoundError, RefusedError
from tidings.operations import views
from tidings.operations.verify import verify
from tidings.store.rows import Row


async def test_every_view_is_listed_with_or_without_a_table(stage: Stage) -> None:
    found = {each.name: each for each in await views.listed(stage.store, stage.opened.views)}
    assert {name: (each.mode, each.state, each.table) for name, each in found.items()} == {
        "orders.last": ("live", "read", None),
        "orders.order": ("async", "current", "orders_order__v1"),
        "orders.placed": ("inline", "current", "orders_placed__v1"),
    }
    assert {each.declared for each in found.values()} == {True}


async def test_tables_of_views_that_are_not_declared_are_listed_and_marked(stage: Stage) -> None:
    only = [stage.view("order")]
    assert {each.view: each.declared for each in await views.listed(stage.store, only)} == {
        "order": True,
        "placed": False,
    }
    assert {each.declared for each in await views.listed(stage.store, None)} == {None}


async def test_rows_are_shown_by_key_and_by_column(stage: Stage) -> None:
    await stage.say(OrderPlaced("b", 2), OrderPlaced("a", 1), OrderPaid("a"))
    await stage.fold("order")
    record = await views.current_record(stage.store, "orders.order")
    assert record is not None
    shown = await views.show(stage.store, record, equal={}, limit=50)
    assert [row.values for row in shown.rows] == [("a", 1, True), ("b", 2, False)]
    assert shown.after is None
    first = await views.show(stage.store, record, equal={}, limit=1)
    assert first.after == ("a",)
    second = await views.show(stage.store, record, equal={}, limit=1, after=first.after)
    assert [row.values for row in second.rows] == [("b", 2, False)]
    shown = await views.show(stage.store, record, equal={"paid": True}, limit=1)
    assert [row.values for row in shown.rows] == [("a", 1, True)]
    assert shown.after == ("a",)


async def test_a_live_view_is_shown_by_its_key_alone(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 7))
    shown = await views.show_live(stage.log, stage.view("last"), equal={"order_id": "a"})
    assert [row.values for row in shown.rows] == [("a", 7)]
    assert (await views.show_live(stage.log, stage.view("last"), equal={"order_id": "b"})).rows == ()
    with pytest.raises(RefusedError, match="give its key, order_id=…"):
        await views.show_live(stage.log, stage.view("last"), equal={})


def test_an_unknown_view_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match="no view 'x'; there is none"):
        views.declared_view([], "x")


async def test_right_views_are_equal_to_a_refold(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), OrderPaid("a"), RateSet(1))
    await stage.fold("order")
    found = {each.view: each.result for each in await verify(stage.log, stage.store, stage.opened.views)}
    assert {name: (each.is_right, each.rows, each.entries) for name, each in found.items()} == {
        "orders.order": (True, 1, 2),
        "orders.placed": (True, 1, 1),
    }


async def test_tombstones_are_compared_and_counted_apart_from_rows(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), OrderPlaced("b", 2), OrderPlaced("c", 3), OrderWithdrawn("b"))
    await stage.fold("order")
    [found] = await verify(stage.log, stage.store, [stage.view("order")])
    assert (found.result.is_right, found.result.rows, found.result.tombstones) == (True, 2, 1)


async def test_a_wrong_row_is_found(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1))
    await stage.fold("order")
    record = await views.current_record(stage.store, "orders.order")
    assert record is not None
    [row] = await stage.store.every(record.table, after=None, limit=10)
    async with stage.store.unit() as unit:
        await unit.replace(record.table, [Row(("a", 2, False), row.rank, row.position)])
    [found] = await verify(stage.log, stage.store, [stage.view("order")])
    assert not found.result.is_right
    assert (found.result.first[0].found, found.result.first[0].expected) == (("a", 2, False), ("a", 1, False))


async def test_a_verification_tells_how_far_it_is(stage: Stage) -> None:
    await stage.say(*(OrderPlaced(f"o-{n}", n) for n in range(5)))
    await stage.fold("order")
    told: list[tuple[str, int, int]] = []
    await verify(stage.log, stage.store, [stage.view("order")], progress=lambda *now: told.append(now))
    assert told[0] == ("verifying orders.order", 0, 5)
    assert told[-1] == ("verifying orders.order", 5, 5)
