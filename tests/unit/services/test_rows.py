"""Rows that handlers and commands write more than once: they end the same for every order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations

import pytest

from tests.unit.consumers.room import until_idle
from tests.unit.services.shop import IN_MEMORY
from tidings import App, Context, Service, event
from tidings.errors import InvalidDataError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@event("written", subject="who")
class Written:
    """`writes`: "3" puts a row of rank 3, "-" deletes it."""

    who: str
    writes: list[str]


class Desk:
    """A service with a view that is ordered by time and one that is ordered by a member, of one row each."""

    def __init__(self) -> None:
        service = Service("desk")

        @service.view(key=("id",))
        class Note:
            id: str
            text: str

        @service.view(key=("id",), rank="version")
        class Page:
            id: str
            text: str
            version: int

        @service.on(Written)
        async def write(event: Written, ctx: Context) -> None:
            for n, what in enumerate(event.writes):
                await self.write(ctx, f"{event.who}{n}", what)

        self.Note, self.Page = Note, Page
        self.app = App(service)

    async def write(self, ctx: Context, text: str, what: str) -> None:
        if what == "-":
            await ctx.delete(self.Note, "1")
        else:
            await ctx.put(self.Note("1", text))
            await ctx.put(self.Page("1", text, int(what)))

    async def end(self, arriving: Sequence[Written]) -> tuple[str | None, str | None]:
        """Return what both rows say once these events, all of one time, have arrived in this order."""
        async with self.app.open(IN_MEMORY, consume=False) as opened:
            consumer = (await opened.carrying.consumers())["desk"]
            for each in arriving:
                await self.app.publish(each, source="/desk", id=each.who, time=NOON)
                await until_idle(consumer)
            return await self.shown()

    async def shown(self) -> tuple[str | None, str | None]:
        async with self.app.unit("desk") as ctx:
            note, page = await ctx.get(self.Note, "1"), await ctx.get(self.Page, "1")
        return note and note.text, page and page.text


@pytest.mark.parametrize(
    "writes",
    [
        (["-", "1"], ["1"], ["2"]),
        (["1", "-", "2"], ["1"], ["2"]),
        (["5", "3"], ["4"], ["4", "1"]),
        (["-", "3", "-", "3"], ["3", "-", "3"], ["3"]),
    ],
)
async def test_events_that_write_a_row_more_than_once_end_the_same_for_every_order(writes: Sequence[list[str]]) -> None:
    arriving = [Written(who, what) for who, what in zip("abc", writes, strict=True)]
    ends = {await Desk().end(order) for order in permutations(arriving)}
    assert len(ends) == 1


async def test_the_last_write_of_one_event_stays_when_its_rank_is_that_of_the_others() -> None:
    assert await Desk().end([Written("a", ["1", "1", "-", "1"])]) == ("a3", "a3")


async def test_of_one_events_writes_to_a_view_with_a_rank_the_highest_stays() -> None:
    assert await Desk().end([Written("a", ["1", "5", "3"])]) == ("a2", "a1")


async def test_a_command_that_comes_late_by_rank_changes_nothing_however_often_it_writes() -> None:
    desk = Desk()
    async with desk.app.open(IN_MEMORY, consume=False):
        async with desk.app.unit("desk") as ctx:
            await ctx.put(desk.Page("1", "first", 7))
        for versions in ((5, 3), (7, 7)):
            async with desk.app.unit("desk") as ctx:
                for version in versions:
                    await ctx.put(desk.Page("1", "late", version))
        assert await desk.shown() == (None, "first")


async def test_a_row_whose_key_not_every_back_end_can_index_is_neither_put_nor_deleted() -> None:
    desk = Desk()
    async with desk.app.open(IN_MEMORY, consume=False):
        async with desk.app.unit("desk") as ctx:
            await ctx.put(desk.Note("😀" * 500, "kept"))
        for write in (lambda ctx, key: ctx.put(desk.Note(key, "lost")), lambda ctx, key: ctx.delete(desk.Note, key)):
            with pytest.raises(InvalidDataError, match=r"its key has 2,001 bytes \(id 2,001\)"):
                async with desk.app.unit("desk") as ctx:
                    await write(ctx, "😀" * 500 + "x")
        async with desk.app.unit("desk") as ctx:
            assert await ctx.get(desk.Note, "😀" * 500 + "x") is None
            assert await ctx.get(desk.Note, "😀" * 500) == desk.Note("😀" * 500, "kept")
