"""The same folds end in the same rows as async, inline and live views, and in a view that is built anew.

Here everything is real: the application, its consumers beside the appends, and rebuilds; only the order is random.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scale import SCALE
from tests.unit.views.events import (
    DAY,
    Bookmark,
    Bookmarked,
    Left,
    Name,
    Past,
    Renamed,
    Shelf,
    Unbookmarked,
    bookmarks,
    envelope,
    names,
    pasts,
    put,
    remember,
    remove,
    rename,
    shelve,
    shelves,
    unshelve,
)
from tests.unit.views.room import plainly
from tidings import App, Service, Settings
from tidings.app.opened import Opened
from tidings.events.envelope import Envelope
from tidings.store.rows import Key
from tidings.views.declaration import Mode, ViewSpec, consumer_name
from tidings.views.fold import Folding
from tidings.views.live import Live
from tidings.views.verify import Verifier

IN_MEMORY = Settings(database_url="sqlite:///:memory:")
PATIENCE = 60.0
WEEK = 7 * DAY

Rows = dict[Key, Any]
Folds = Sequence[tuple[type, Callable[[Any, Any], Any]]]


@dataclass(frozen=True, slots=True)
class Case:
    """One view, whichever way it is kept, and the events it is told."""

    row: type
    key: tuple[str, ...]
    folds: Folds
    spec: ViewSpec
    events: st.SearchStrategy[Any]
    modes: tuple[Mode, ...] = ("async", "inline", "live")

    def app(self) -> App:
        """Return an application that has the view in every mode, each in a service of its own."""
        services = []
        for mode in self.modes:
            service = Service(f"kept_{mode}")
            service.view(key=self.key, mode=mode)(self.row)
            for event, fold in self.folds:
                service.fold(self.row, event)(fold)
            services.append(service)
        return App(*services)


users, tweets = st.sampled_from(["ann", "bob"]), st.sampled_from(["1", "2"])
said = st.one_of(st.builds(Bookmarked, tweets, users), st.builds(Unbookmarked, tweets, users))
named = st.one_of(st.builds(Renamed, users, st.sampled_from("xyz")), st.builds(Left, users))

BOOKMARKS = Case(
    Bookmark, ("user_id", "tweet_id"), ((Bookmarked, put), (Unbookmarked, remove)), bookmarks(), events=said
)
CASES = {
    "set-membership": BOOKMARKS,
    "counter-of-many-subjects": Case(
        Shelf,
        ("user_id",),
        ((Bookmarked, shelve), (Unbookmarked, unshelve)),
        shelves(),
        events=said,
        modes=("async", "inline"),
    ),
    "last-writer": Case(Name, ("user_id",), ((Renamed, rename), (Left, remove)), names(), events=named),
    "every-place-counts": Case(Past, ("user_id",), ((Renamed, remember), (Left, remove)), pasts(), events=named),
}


async def rows_of(opened: Opened, view: ViewSpec, keys: Iterable[Key]) -> Rows:
    """Return what a reader is shown under these keys, and whatever else a table holds."""
    codec = Folding(view).codec
    if view.mode == "live":
        live = Live(view, opened.log)
        found = {key: await live.row(key) for key in keys}
    else:
        record = await opened.tables.of(view)
        assert record is not None
        visible = await opened.store.select(record.table, equal={}, after=None, limit=10_000)
        found = dict.fromkeys(keys, None) | {codec.key(row.values): row for row in visible}
    return {key: None if row is None else codec.load(row.values) for key, row in found.items()}


async def caught_up(opened: Opened) -> None:
    """Come back when the consumers of async views have reached the head."""
    head = (await opened.log.head()).position
    async with asyncio.timeout(PATIENCE):
        for record in await opened.store.views():
            while record.mode == "async" and not await has_reached(opened, consumer_name(record.table), head):
                await asyncio.sleep(0.001)


async def has_reached(opened: Opened, consumer: str, head: int) -> bool:
    checkpoints = (await opened.store.checkpoints(consumer)).values()
    return bool(checkpoints) and all(each.position >= head for each in checkpoints)


async def every_way_ends_alike(case: Case, pages: Sequence[Sequence[Envelope]], turns: Sequence[int] = ()) -> Rows:
    """Append the pages, letting consumers go on in between; compare every mode and every rebuild; return the rows."""
    expected = plainly(case.spec, [each for page in pages for each in page])
    async with case.app().open(IN_MEMORY) as opened:
        for n, page in enumerate(pages):
            await opened.log.append(page)
            for _ in range(turns[n % len(turns)] if turns else 0):
                await asyncio.sleep(0)
        await caught_up(opened)
        for view in opened.views:
            assert await rows_of(opened, view, expected) == expected, view.mode
        for view in (each for each in opened.views if each.mode != "live"):
            record = await opened.carrying.rebuild(view)
            assert record.table.version == 2
            assert await rows_of(opened, view, expected) == expected, f"rebuilt {view.mode}"
            assert (await Verifier(view, record, opened.store, opened.log).run()).is_right
    return expected


@st.composite
def arrivals(draw: st.DrawFn, events: st.SearchStrategy[Any]) -> list[list[Envelope]]:
    """Some events at close times, some a week late, in some order, cut into appends, some handed in again."""
    times = st.one_of(st.integers(0, 4), st.integers(WEEK, WEEK + 2))
    told = draw(st.lists(st.tuples(events, times), min_size=1, max_size=14))
    envelopes = [envelope(event, f"e{place}", at) for place, (event, at) in enumerate(told)]
    order = draw(st.permutations(envelopes + draw(st.lists(st.sampled_from(envelopes), max_size=4))))
    pages: list[list[Envelope]] = [[]]
    for each in order:
        if draw(st.booleans()):
            pages.append([])
        pages[-1].append(each)
    return [page for page in pages if page]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@settings(max_examples=25 * SCALE, deadline=None)
@given(data=st.data())
async def test_a_random_history_ends_in_the_same_rows_in_every_mode_and_when_built_anew(
    case: Case, data: st.DataObject
) -> None:
    pages = data.draw(arrivals(case.events))
    turns = data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=4))
    await every_way_ends_alike(case, pages, turns)


async def test_an_unbookmark_before_its_bookmark_ends_without_a_row() -> None:
    gone, there = envelope(Unbookmarked("20", "jack"), "gone", 2), envelope(Bookmarked("20", "jack"), "there", 1)
    assert await every_way_ends_alike(BOOKMARKS, [[gone], [there]], [9]) == {("jack", "20"): None}


async def test_a_bookmark_that_comes_twice_is_one_row() -> None:
    once = envelope(Bookmarked("20", "jack"), "once", 1)
    again = envelope(Bookmarked("20", "jack"), "again", 3)
    rows = await every_way_ends_alike(BOOKMARKS, [[once], [once], [again], [again, once]], [9])
    assert rows == {("jack", "20"): Bookmark("jack", "20")}  # type: ignore[call-arg]


async def test_an_event_a_week_old_that_comes_after_todays_takes_its_place() -> None:
    today = envelope(Renamed("jack", "today"), "today", WEEK)
    late = envelope(Renamed("jack", "a week ago"), "late", 0)
    rows = await every_way_ends_alike(CASES["every-place-counts"], [[today], [late]], [9])
    assert rows[("jack",)].names == ["a week ago", "today"]
    rows = await every_way_ends_alike(CASES["last-writer"], [[today], [late]], [9])
    assert (rows[("jack",)].name, rows[("jack",)].changes) == ("today", 2)
