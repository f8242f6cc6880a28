"""When a folder asks what was given up, and that it does not ask for what comes for the first time."""

from __future__ import annotations

import pytest

from tests.unit.views.events import Renamed, envelope, names
from tests.unit.views.room import Room, room
from tidings.log.driver import Position
from tidings.store.reason import Reason
from tidings.store.rows import ViewTable
from tidings.store.statement_unit import StatementUnit
from tidings.views.folder import Folder

DEAD = Reason(kind="fold-failed", error="", next_at=None)
TOLD = [envelope(Renamed("jack", name), name, at) for at, name in enumerate("ABC")]


async def dropped(views: Room, position: Position) -> None:
    [entry] = await views.log.at([position])
    async with views.store.unit() as unit:
        await unit.park(views.table.consumer, "jack", [entry], DEAD)
    await views.store.drop(views.table.consumer, "jack", position, reason="not wanted")


async def test_a_redrive_leaves_out_what_was_given_up() -> None:
    """In a replay of a parked subject, for instance, a dropped entry waits behind it once more."""
    async with room(names()) as views:
        entries = await views.append(TOLD)
        await dropped(views, 2)
        for entry in entries:
            await views.carry([entry])
        assert [row.values for row in (await views.stored()).values()] == [("jack", "C", 2)]


@pytest.mark.parametrize("is_gated", [False, True])
async def test_only_a_page_that_comes_again_is_asked_for(monkeypatch: pytest.MonkeyPatch, is_gated: bool) -> None:
    async with room(names()) as views:
        entries, asked = await views.append(TOLD), list[ViewTable]()
        async with views.store.unit() as unit:
            ask = unit.dropped

            async def counted(view: ViewTable) -> frozenset[Position]:
                asked.append(view)
                return await ask(view)

            monkeypatch.setattr(unit, "dropped", counted)
            await views.folder.apply(unit, entries, gated=is_gated)
        assert len(asked) == is_gated


async def test_an_append_in_rank_order_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(names()) as views:
        entries = await views.append(TOLD)
        folder = Folder(views.view, views.table, views.log, feed="appended")
        async with views.store.unit() as unit:
            monkeypatch.delattr(StatementUnit, "dropped")
            for entry in entries:
                await folder.apply(unit, [entry])
        assert [row.values for row in (await views.stored()).values()] == [("jack", "C", 3)]
