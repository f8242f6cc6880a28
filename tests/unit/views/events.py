"""Events and views that the tests of views share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tidings.events.codec import encode_json
from tidings.events.declaration import declared, event, value_class
from tidings.events.envelope import Entry, Envelope
from tidings.events.timestamp import time_text
from tidings.views.declaration import FoldSpec, Mode, ViewSpec

DAY = 86_400_000_000


@event("tweet-bookmarked", subject="tweet_id")
class Bookmarked:
    tweet_id: str
    user_id: str


@event("tweet-unbookmarked", subject="tweet_id")
class Unbookmarked:
    tweet_id: str
    user_id: str


@event("user-renamed", subject="user_id")
class Renamed:
    user_id: str
    name: str


@event("user-left", subject="user_id")
class Left:
    user_id: str


@event("price-set", subject="item")
class Priced:
    item: str
    price: int
    revision: int


@value_class
class Bookmark:
    user_id: str
    tweet_id: str


@value_class
class Shelf:
    user_id: str
    tweets: int


@value_class
class Name:
    user_id: str
    name: str
    changes: int


@value_class
class Past:
    user_id: str
    names: list[str]


@dataclass
class Price:
    item: str
    price: int


def put(row: Bookmark | None, event: Bookmarked) -> Bookmark:
    return Bookmark(event.user_id, event.tweet_id)  # type: ignore[call-arg]


def remove(row: Any, event: Any) -> None:
    return None


def shelve(row: Shelf | None, event: Bookmarked) -> Shelf:
    return Shelf(event.user_id, (row.tweets if row else 0) + 1)  # type: ignore[call-arg]


def unshelve(row: Shelf | None, event: Unbookmarked) -> Shelf | None:
    return Shelf(row.user_id, row.tweets - 1) if row else None  # type: ignore[call-arg]


def rename(row: Name | None, event: Renamed) -> Name:
    return Name(event.user_id, event.name, (row.changes if row else 0) + 1)  # type: ignore[call-arg]


def remember(row: Past | None, event: Renamed) -> Past:
    return Past(event.user_id, [*(row.names if row else []), event.name])  # type: ignore[call-arg]


def fold(event: type, function: Callable[[Any, Any], Any], *key: str) -> FoldSpec:
    return FoldSpec(event=event, function=function, key=key or None)


def bookmarks(mode: Mode = "async") -> ViewSpec:
    """Set membership; its rows lie within one subject."""
    return ViewSpec(
        service="chirp",
        row=Bookmark,
        key=("user_id", "tweet_id"),
        mode=mode,
        folds=(fold(Bookmarked, put), fold(Unbookmarked, remove)),
    )


def shelves(mode: Mode = "async") -> ViewSpec:
    """A counter whose rows span subjects: many tweets on one shelf."""
    folds = (fold(Bookmarked, shelve), fold(Unbookmarked, unshelve))
    return ViewSpec(service="chirp", row=Shelf, key=("user_id",), mode=mode, folds=folds)


def names(mode: Mode = "async") -> ViewSpec:
    """The last writer wins, and how often it was written."""
    folds = (fold(Renamed, rename), fold(Left, remove))
    return ViewSpec(service="chirp", row=Name, key=("user_id",), mode=mode, folds=folds)


def pasts(mode: Mode = "async") -> ViewSpec:
    """A fold that depends on every event's place."""
    folds = (fold(Renamed, remember), fold(Left, remove))
    return ViewSpec(service="chirp", row=Past, key=("user_id",), mode=mode, folds=folds)


def envelope(event: Any, id: str, at: int | None = 0, *, source: str = "web") -> Envelope:
    """Return an event's envelope; `at`: its time in microseconds since 1970, None for none."""
    known = declared(event)
    return Envelope(
        id=id,
        source=source,
        type=known.type,
        version=known.version,
        subject=None if known.subject is None else str(getattr(event, known.subject)),
        time=None if at is None else time_text(at),
        data=encode_json(event),
    )


def entry(position: int, event: Any, id: str, at: int | None = 0) -> Entry:
    return Entry(position, 1_000_000 + position, envelope(event, id, at))
