"""A view ends in the same rows for every order, repetition and delay of the same events, in every mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scale import SCALE
from tests.unit.views.events import (
    DAY,
    Bookmarked,
    Left,
    Renamed,
    Shelf,
    Unbookmarked,
    bookmarks,
    envelope,
    names,
    pasts,
    shelves,
)
from tests.unit.views.room import plainly, room
from tests.unit.views.stories import STORIES, Story, Telling, tellings, together
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Head, History, Position
from tidings.views.declaration import Mode, ViewSpec
from tidings.views.folder import Folder

AT_ONCE, SINGLY = (False,) * 5, (True,) * 5
HALVES, ENDS = (False, False, True, False, False), (True, False, False, False, True)

kept = pytest.mark.parametrize("mode", ["async", "inline"])
each = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)


async def ends_right(view: ViewSpec, told: list[Telling]) -> None:
    pages = together(told)
    expected = plainly(view, [said for page in pages for said in page])
    async with room(view) as views:
        for page in pages:
            await views.take(page)
        assert await views.rows(expected) == expected


@each
@kept
async def test_five_events_end_in_the_same_row_for_every_order_and_every_cut_into_pages(
    story: Story, mode: Mode
) -> None:
    await ends_right(story.view(mode), tellings(story, length=5))


@each
@kept
async def test_six_events_end_in_the_same_row_for_every_order(story: Story, mode: Mode) -> None:
    cuts = (AT_ONCE, SINGLY, HALVES, ENDS)
    await ends_right(story.view(mode), tellings(story, length=6, cuts=cuts))


@pytest.mark.parametrize("name", [name for name in STORIES if "many-subjects" not in name])
async def test_six_events_end_in_the_same_row_for_every_order_also_when_it_is_folded_on_read(name: str) -> None:
    story = STORIES[name]
    await ends_right(story.view("live"), tellings(story, length=6, cuts=[SINGLY]))


@each
async def test_pages_that_come_again_change_nothing(story: Story) -> None:
    view = story.view("async")
    async with room(view) as views:
        everything: list[Entry] = []
        for page in together(tellings(story, length=4)):
            entries = await views.append(page)
            everything += entries
            await views.carry(entries)
            await views.carry(entries)
        before = await views.stored()
        for start in range(0, len(everything), 777):
            await views.carry(everything[start : start + 1000])
        await views.carry(everything)
        assert await views.stored() == before
        expected = plainly(view, [entry.envelope for entry in everything])
        assert await views.rows(expected) == expected


@each
async def test_an_event_that_a_forgetful_log_holds_twice_counts_once(story: Story) -> None:
    view = story.view("async")
    told = [said for page in together(tellings(story, length=4, cuts=[SINGLY[:3]])) for said in page]
    async with room(view) as views:
        once = [Entry(position, 0, said) for position, said in enumerate(told, 1)]
        again = [Entry(position, 0, said) for position, said in enumerate(told[::-1], len(told) + 1)]
        views.folder = Folder(view, views.table, ForgetfulLog([*once, *again]))
        for start in range(0, len(told) * 2, 50):
            await views.carry([*once, *again][start : start + 50])
        expected = plainly(view, told)
        assert await views.rows(expected) == expected


class ForgetfulLog:
    """A log that remembers ids only for a while, as some brokers do: one event stands in it at several positions."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    async def history(self, wanted: History) -> Sequence[Entry]:
        subjects = frozenset(wanted.subjects)
        held = [entry for entry in self._entries if entry.position <= wanted.upto]
        return [entry for entry in held if entry.envelope.subject in subjects and entry.envelope.type in wanted.types]

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]:
        wanted = frozenset(positions)
        return [entry for entry in self._entries if entry.position in wanted]

    async def head(self) -> Head:
        return Head(position=self._entries[-1].position, floor=0, incarnation="")


users = st.sampled_from(["ann", "bob"])
tweets = st.sampled_from(["1", "2"])
said = st.one_of(
    st.builds(Bookmarked, tweets, users),
    st.builds(Unbookmarked, tweets, users),
)
named = st.one_of(st.builds(Renamed, users, st.sampled_from("xyz")), st.builds(Left, users))


@st.composite
def arrivals(draw: st.DrawFn, events: st.SearchStrategy[Any]) -> list[list[Envelope]]:
    """Some events at close times, in some order, cut into pages somewhere, some of them handed in again."""
    told = draw(st.lists(st.tuples(events, st.integers(0, 4)), min_size=1, max_size=12))
    envelopes = [envelope(event, f"e{place}", at) for place, (event, at) in enumerate(told)]
    order = draw(st.permutations(envelopes + draw(st.lists(st.sampled_from(envelopes), max_size=4))))
    pages: list[list[Envelope]] = [[]]
    for said in order:
        if draw(st.booleans()):
            pages.append([])
        pages[-1].append(said)
    return [page for page in pages if page]


@pytest.mark.parametrize(
    ("view", "events"),
    [(bookmarks("async"), said), (shelves("async"), said), (names("async"), named), (pasts("async"), named)],
    ids=["set-membership", "counter-of-many-subjects", "last-writer", "every-place-counts"],
)
@kept
@settings(max_examples=60 * SCALE, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_random_histories_end_as_their_folds_say(
    view: ViewSpec, events: st.SearchStrategy[Any], mode: Mode, data: st.DataObject
) -> None:
    pages = data.draw(arrivals(events))
    view = replace(view, mode=mode)
    expected = plainly(view, [said for page in pages for said in page])
    async with room(view) as views:
        for page in pages:
            await views.take(page)
        assert await views.rows(expected) == expected


@pytest.mark.parametrize("mode", ["async", "inline", "live"])
async def test_an_event_that_is_a_week_late_takes_its_place(mode: Mode) -> None:
    view = names(mode)
    told = [
        envelope(Renamed("jack", "today"), "today", 8 * DAY),
        envelope(Renamed("jack", "a week ago"), "late", DAY),
        envelope(Renamed("jack", "tomorrow"), "tomorrow", 9 * DAY),
    ]
    async with room(view) as views:
        for arrived, name in zip(told, ["today", "today", "tomorrow"], strict=True):
            await views.take([arrived])
            row = (await views.rows([("jack",)]))[("jack",)]
            assert row.name == name
        assert row.changes == 3


@pytest.mark.parametrize("mode", ["async", "inline", "live"])
@pytest.mark.parametrize(("put_at", "is_there"), [(1, False), (3, True)])
async def test_a_delete_that_comes_before_its_put_is_judged_by_their_times(
    mode: Mode, put_at: int, is_there: bool
) -> None:
    key = ("jack", "20")
    async with room(bookmarks(mode)) as views:
        await views.take([envelope(Unbookmarked("20", "jack"), "gone", 2)])
        assert (await views.rows([key]))[key] is None
        await views.take([envelope(Bookmarked("20", "jack"), "put", put_at)])
        assert ((await views.rows([key]))[key] is not None) == is_there


@kept
async def test_two_subjects_in_one_row_end_the_same_in_either_order(mode: Mode) -> None:
    told = [envelope(Unbookmarked("1", "jack"), "a", 1), envelope(Bookmarked("2", "jack"), "b", 0)]
    for order in (told, told[::-1]):
        async with room(shelves(mode)) as views:
            for arrived in order:
                await views.take([arrived])
            assert (await views.rows([("jack",)]))[("jack",)] == Shelf("jack", 0)  # type: ignore[call-arg]


async def test_a_late_event_costs_one_query_for_all_rows_of_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(names()) as views:
        people = [f"user-{n}" for n in range(50)]
        await views.take([envelope(Renamed(user, "new"), f"{user}-new", 5) for user in people])
        asked: list[History] = []
        history = views.log.history

        async def counted(wanted: History) -> Sequence[Entry]:
            asked.append(wanted)
            return await history(wanted)

        monkeypatch.setattr(views.log, "history", counted)
        await views.take([envelope(Renamed(user, "old"), f"{user}-old", 1) for user in people])
        assert [len(wanted.subjects) for wanted in asked] == [50]
