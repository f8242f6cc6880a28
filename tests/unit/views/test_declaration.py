"""A wrong view is refused when it is declared, in words that show the right form."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from tests.unit.views.events import (
    Bookmark,
    Bookmarked,
    Left,
    Name,
    Priced,
    Renamed,
    Unbookmarked,
    bookmarks,
    fold,
    names,
    put,
    remove,
    rename,
    shelves,
)
from tidings.errors import DeclarationError
from tidings.events.declaration import event
from tidings.store.rows import Column
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.views.names import check_service_name, view_name


def view(**changes: Any) -> ViewSpec:
    fields: dict[str, Any] = {"service": "chirp", "row": Bookmark, "key": ("user_id", "tweet_id")}
    return ViewSpec(**{**fields, "folds": (fold(Bookmarked, put),), **changes})


def test_a_view_is_named_after_its_class() -> None:
    assert [view_name(type(name, (), {})) for name in ("User", "TweetStat", "HTTPLog", "Top10List")] == [
        "user",
        "tweet_stat",
        "http_log",
        "top10_list",
    ]


def test_a_plain_class_becomes_a_row_with_typed_columns() -> None:
    class Order:
        number: int
        paid: bool
        at: datetime | None
        lines: list[str]

    spec = ViewSpec(service="shop", row=Order, key=("number",))
    assert spec.columns == (
        Column("number", "integer"),
        Column("paid", "boolean"),
        Column("at", "time", True),
        Column("lines", "json"),
    )
    assert spec.table(3).name == "shop_order__v3"
    assert consumer_name(spec.table(3)) == "shop.order@3"


def test_a_view_whose_key_holds_the_subject_of_every_event_lies_within_one_subject() -> None:
    assert bookmarks().subject == 1
    assert names().subject == 0
    assert not bookmarks().spans


def test_a_view_fed_by_events_of_many_subjects_spans_them() -> None:
    assert shelves().spans
    assert shelves().table(1).spans


def test_two_events_whose_subjects_stand_in_different_columns_of_the_key_span_subjects() -> None:
    @event("shelf-cleared", subject="user_id")
    class Cleared:
        user_id: str
        tweet_id: str

    assert view(folds=(fold(Bookmarked, put), fold(Cleared, remove))).spans


def test_an_event_may_call_the_members_of_the_key_otherwise() -> None:
    @event("post-kept", subject="post")
    class Kept:
        post: str
        reader: str

    spec = view(folds=(fold(Kept, put, "reader", "post"), fold(Unbookmarked, remove)))
    assert spec.members(spec.folds[0]) == ("reader", "post")
    assert spec.subject == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"rank": "user_id", "folds": ()},
        {"key": ("tweet_id", "user_id")},
        {"folds": (fold(Bookmarked, put), fold(Unbookmarked, remove))},
    ],
)
def test_the_shape_changes_with_what_the_table_holds(changes: dict[str, Any]) -> None:
    if "rank" in changes:
        changes = {"folds": ()}
    assert view(**changes).shape != view().shape


def test_the_shape_does_not_change_with_the_order_of_folds_or_their_code() -> None:
    one = view(folds=(fold(Bookmarked, put), fold(Unbookmarked, remove)))
    other = view(folds=(fold(Unbookmarked, remove), fold(Bookmarked, remove)))
    assert one.shape == other.shape


async def asynchronous(row: Any, event: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"key": ()}, "needs a key"),
        ({"key": ("user_id", "user_id")}, "needs a key"),
        ({"key": ("user_id", "tweet")}, "is no member"),
        ({"service": "Chirp"}, "no name for a service"),
        ({"service": "tidings"}, "no name for a service"),
        ({"service": "a__b"}, "no name for a service"),
        ({"service": "s" * 45}, "more than 48"),
        ({"name": "drop table"}, "no name for a view"),
        ({"version": 0}, "whole number"),
        ({"version": True}, "whole number"),
        ({"mode": "lazy"}, "mode must be"),
        ({"mode": "inline", "folds": ()}, "needs a fold"),
        ({"mode": "live", "folds": ()}, "needs a fold"),
        ({"rank": "at", "folds": ()}, "must be a member of the row"),
        ({"rank": "at"}, "has no member 'at' to order by"),
        ({"rank": "user_id"}, "must be an int or a datetime"),
        ({"folds": (fold(Bookmarked, asynchronous),)}, "not async"),
        ({"folds": (fold(Bookmarked, put), fold(Bookmarked, remove))}, "twice"),
        ({"folds": (fold(Left, remove),)}, "has no member 'tweet_id'"),
        ({"folds": (fold(Bookmarked, put, "user_id"),)}, "one member for each"),
        ({"folds": (fold(Priced, put, "item", "price"),)}, "must have the type of 'tweet_id'"),
        ({"folds": (fold(Bookmark, put),)}, "not declared as an event"),
        ({"row": Name, "key": ("user_id",), "mode": "live", "folds": (fold(Bookmarked, rename),)}, "cannot be live"),
    ],
)
def test_a_wrong_declaration_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        view(**changes)


def test_a_live_view_within_one_subject_is_allowed_and_has_no_table() -> None:
    spec = names("live")
    with pytest.raises(DeclarationError, match="no table"):
        spec.record(1, "current")


def test_a_member_that_is_named_like_our_own_columns_is_refused() -> None:
    @dataclass
    class Row:
        key: str
        _pos: int

    with pytest.raises(DeclarationError, match="cannot name a column"):
        ViewSpec(service="s", row=Row, key=("key",))


@pytest.mark.parametrize("name", ["limit", "after", "After", "ctid", "XMIN", "a" * 64])
def test_a_column_that_http_or_another_engine_has_a_use_for_is_refused(name: str) -> None:
    row = dataclasses.make_dataclass("Row", [("key", str), (name, int)])
    with pytest.raises(DeclarationError, match=f"{name!r} cannot name a column"):
        ViewSpec(service="s", row=row, key=("key",))


@pytest.mark.parametrize("name", ["select", "rowid", "offset", "a" * 63])
def test_any_other_name_may_be_a_column(name: str) -> None:
    row = dataclasses.make_dataclass("Row", [("key", str), (name, int)])
    assert [column.name for column in ViewSpec(service="s", row=row, key=("key",)).columns] == ["key", name]


def test_a_view_of_more_columns_than_a_table_takes_is_refused() -> None:
    def view_of(members: int) -> ViewSpec:
        row = dataclasses.make_dataclass("Row", [(f"c{n}", int) for n in range(members)])
        return ViewSpec(service="s", row=row, key=("c0",))

    assert len(view_of(1_000).columns) == 1_000
    with pytest.raises(DeclarationError, match=r"has 1,001 members, but a table takes 1,000"):
        view_of(1_001)


def test_a_column_that_json_cannot_hold_is_told_in_words_that_can_be_followed() -> None:
    row = dataclasses.make_dataclass("Row", [("key", str), ("what", object)])
    with pytest.raises(DeclarationError, match=r"Row\.what: a column cannot hold <class 'object'>: type .* supported$"):
        ViewSpec(service="s", row=row, key=("key",))


def test_two_members_that_differ_only_in_case_are_refused() -> None:
    row = dataclasses.make_dataclass("Row", [("key", str), ("Key", str)])
    with pytest.raises(DeclarationError, match="differ only in case"):
        ViewSpec(service="s", row=row, key=("key",))


def test_a_key_that_may_be_none_is_refused() -> None:
    row = dataclasses.make_dataclass("Row", [("key", str | None)])
    with pytest.raises(DeclarationError, match="cannot be part of the key"):
        ViewSpec(service="s", row=row, key=("key",))


@pytest.mark.parametrize("hint", [float, list[str]])
def test_a_key_that_has_no_equality_in_sql_is_refused(hint: Any) -> None:
    row = dataclasses.make_dataclass("Row", [("key", hint)])
    with pytest.raises(DeclarationError, match="cannot be part of the key"):
        ViewSpec(service="s", row=row, key=("key",))


def test_an_event_that_may_have_no_key_is_refused() -> None:
    @event("renamed-maybe")
    class Maybe:
        user_id: str | None

    with pytest.raises(DeclarationError, match="never be None"):
        ViewSpec(service="s", row=Name, key=("user_id",), folds=(fold(Maybe, rename),))


def test_a_view_that_handlers_write_has_no_folds() -> None:
    spec = ViewSpec(service="s", row=Name, key=("user_id",), rank="changes")
    assert spec.types == frozenset()
    assert not spec.spans


def test_a_record_says_what_the_table_is() -> None:
    record = names("inline").record(2, "building")
    assert (record.table.version, record.state, record.mode, record.declared) == (2, "building", "inline", 1)
    assert record.types == ("user-left", "user-renamed")
    assert record.shape == names().shape


def test_a_name_for_a_service_may_have_parts() -> None:
    check_service_name("user_lists2")
    assert Renamed.__name__
