from __future__ import annotations

import pytest

from chirp.bookmarked import bookmark
from chirp.bookmarks import SLOTS, Bookmark, Shelf
from chirp.events import (
    BookmarkRefused,
    BookmarkRequested,
    TweetDeleted,
    TweetPosted,
    TweetUnbookmarked,
    UnbookmarkRequested,
    UserClosed,
)
from tidings.testing import Scenario


def test_who_asks_for_a_bookmark_gets_it(scenario: Scenario) -> None:
    scenario.when(BookmarkRequested("jack", "20"))
    scenario.redeliver()
    scenario.then(bookmark("20", "jack"))
    assert scenario.rows(Bookmark) == [Bookmark("jack", "20")]


@pytest.mark.parametrize("point", ["unit:in-handler", "unit:after-emit", "unit:committed"])
def test_a_request_is_answered_once_though_the_process_dies(scenario: Scenario, point: str) -> None:
    scenario.crash_at(point)
    scenario.when(BookmarkRequested("jack", "20"))
    scenario.then(bookmark("20", "jack"))


def test_one_bookmark_more_than_there_are_slots_is_refused(scenario: Scenario) -> None:
    scenario.given(*(BookmarkRequested("jack", f"{n}") for n in range(SLOTS)))
    scenario.when(BookmarkRequested("jack", "20"), BookmarkRequested("jill", "20"))
    scenario.then(
        BookmarkRefused("jack", "20", "All 5 of your bookmarks are taken: remove one first."),
        bookmark("20", "jill"),
    )


def test_a_slot_that_was_freed_can_be_taken(scenario: Scenario) -> None:
    scenario.given(*(BookmarkRequested("jack", f"{n}") for n in range(SLOTS)))
    scenario.when(UnbookmarkRequested("jack", "0"), BookmarkRequested("jack", "20"))
    scenario.then(TweetUnbookmarked("0", "jack"), bookmark("20", "jack"))


def test_what_was_deleted_cannot_be_bookmarked(scenario: Scenario) -> None:
    scenario.given(TweetPosted("20", "jill", "hello"), TweetDeleted("20"))
    scenario.when(BookmarkRequested("jack", "20"))
    scenario.then(BookmarkRefused("jack", "20", "The tweet was deleted."))


def test_bookmarks_and_shelves_end_the_same_in_every_order(scenario: Scenario) -> None:
    scenario.shuffle(bookmark("20", "jack"), bookmark("21", "jack"), TweetUnbookmarked("20", "jack"), orders=6)
    assert scenario.rows(Bookmark) == [Bookmark("jack", "21")]
    assert scenario.rows(Shelf) == [Shelf("jack", ["21"])]


def test_the_shelf_of_a_user_who_left_is_cleared(scenario: Scenario) -> None:
    scenario.given(bookmark("20", "jack"))
    scenario.when(UserClosed("jack"))
    assert scenario.rows(Shelf) == []
