"""An inline table while it is built: appends write it, its consumer brings the past, and they meet in any order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unit.views.events import Bookmarked, Name, Past, Renamed, Shelf, envelope, names, pasts, shelves
from tests.unit.views.room import EVERYTHING, Room, room
from tidings.events.envelope import Envelope
from tidings.store.rows import Key
from tidings.views.declaration import ViewSpec
from tidings.views.fold import Folding
from tidings.views.folder import Folder


class Building:
    """A table that is built beside the current one of an inline view."""

    def __init__(self, at: Room) -> None:
        self._at = at
        self._record = at.view.record(2, "building")
        self._folder = Folder(at.view, self._record.table, at.log, feed="rebuilt")

    async def begin(self) -> None:
        await self._at.store.create_view(self._record)

    async def bring(self, *positions: int) -> None:
        """Fold these entries of the past, as the table's consumer would."""
        async with self._at.store.unit() as unit:
            await self._folder.apply(unit, await self._at.log.at(positions))

    async def rows(self) -> dict[Key, object]:
        codec = Folding(self._at.view).codec
        rows = await self._at.store.every(self._record.table, after=None, limit=EVERYTHING)
        return {codec.key(row.values): codec.load(row.values) for row in rows}


def renamed(name: str, at: int) -> Envelope:
    return envelope(Renamed("jack", name), name, at)


async def test_an_append_brings_the_whole_history_of_a_row_that_is_not_in_the_table_yet() -> None:
    async with room(names("inline")) as at:
        building = Building(at)
        await at.append([renamed("A", 1), renamed("B", 2)])
        await building.begin()
        await at.append([renamed("C", 3)])
        assert await building.rows() == {("jack",): Name("jack", "C", 3)}  # type: ignore[call-arg]
        await building.bring(1, 2, 3)
        assert await building.rows() == {("jack",): Name("jack", "C", 3)}  # type: ignore[call-arg]


async def test_an_append_fills_the_gap_between_what_was_brought_and_itself() -> None:
    async with room(names("inline")) as at:
        building = Building(at)
        await at.append([renamed("A", 1), renamed("B", 2)])
        await building.begin()
        await building.bring(1)
        await at.append([renamed("C", 3)])
        assert await building.rows() == {("jack",): Name("jack", "C", 3)}  # type: ignore[call-arg]
        await building.bring(2, 3)
        assert await building.rows() == {("jack",): Name("jack", "C", 3)}  # type: ignore[call-arg]


@pytest.mark.parametrize("order", [(1, 2, 3), (2, 3, 1)])
async def test_what_is_appended_late_takes_its_place_among_the_past(order: Sequence[int]) -> None:
    async with room(pasts("inline")) as at:
        building = Building(at)
        await at.append([renamed(str(time), time) for time in order[:2]])
        await building.begin()
        await at.append([renamed(str(order[2]), order[2])])
        await building.bring(1, 2, 3)
        assert await building.rows() == {("jack",): Past("jack", ["1", "2", "3"])}  # type: ignore[call-arg]


@pytest.mark.parametrize("brought", [[(1, 2, 3)], [(1,), (2, 3)]])
async def test_a_row_that_spans_subjects_is_whole_once_the_past_is_brought(brought: Sequence[Sequence[int]]) -> None:
    async with room(shelves("inline")) as at:
        building = Building(at)
        told = [envelope(Bookmarked(f"tweet-{n}", "jack"), str(n), n) for n in range(3)]
        await at.append(told[:2])
        await building.begin()
        await at.append(told[2:])
        for positions in brought:
            await building.bring(*positions)
        assert await building.rows() == {("jack",): Shelf("jack", 3)}  # type: ignore[call-arg]


@pytest.mark.parametrize("view", [names("inline"), pasts("inline"), shelves("inline")], ids=lambda view: view.name)
async def test_the_table_that_was_built_is_the_live_one_row_by_row(view: ViewSpec) -> None:
    async with room(view) as at:
        building, told = Building(at), []
        for n in range(9):
            user = f"u{n % 2}"
            event = Bookmarked(f"t{n}", user) if view.name == "shelf" else Renamed(user, str(n))
            told.append(envelope(event, str(n), n * 5 % 7))
        await at.append(told[:4])
        await building.begin()
        for n, each in enumerate(told[4:], start=1):
            await at.append([each])
            await building.bring(n, n + 1)
        await building.bring(*range(1, len(told) + 1))
        codec = Folding(view).codec
        live = {key: codec.load(row.values) for key, row in (await at.stored()).items()}
        assert await building.rows() == live
