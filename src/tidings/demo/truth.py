"""What every view must hold in the end, worked out from the true history alone, without any of tidings' own code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidings.demo.history import Happening

Rows = dict[tuple[str, ...], dict[str, Any]]
View = tuple[str, str]

KEYS: dict[View, tuple[str, ...]] = {
    ("users", "user"): ("user_id",),
    ("users", "welcome"): ("user_id",),
    ("lists", "list"): ("list_id",),
    ("lists", "member"): ("list_id", "user_id"),
    ("lists", "name"): ("user_id",),
    ("bookmarks", "bookmark"): ("user_id", "tweet_id"),
    ("bookmarks", "shelf"): ("user_id",),
}


def tell(history: Iterable[Happening]) -> dict[View, Rows]:
    """Return the rows of every view after these happenings, which come in the order of their own times."""
    truth: dict[View, Rows] = {view: {} for view in KEYS}
    shelves: dict[str, set[str]] = {}
    for happening in history:
        _TELLERS[happening.type](truth, shelves, happening.data)
    truth["bookmarks", "shelf"] = {
        (user,): {"user_id": user, "tweets": sorted(tweets)} for user, tweets in shelves.items()
    }
    return truth


def _user_registered(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    key = (data["user_id"],)
    truth["users", "user"][key] = {**data, "open": True}
    welcomed = truth["users", "welcome"].get(key, {"times": 0})["times"]
    truth["users", "welcome"][key] = {"user_id": data["user_id"], "times": welcomed + 1}
    changes = truth["lists", "name"].get(key, {"changes": 0})["changes"]
    truth["lists", "name"][key] = {**data, "changes": changes}


def _user_renamed(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    key = (data["user_id"],)
    if key in truth["users", "user"]:
        truth["users", "user"][key]["handle"] = data["handle"]
        name = truth["lists", "name"][key]
        name["handle"], name["changes"] = data["handle"], name["changes"] + 1


def _user_closed(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    shelves.pop(data["user_id"], None)
    if row := truth["users", "user"].get((data["user_id"],)):
        row["open"] = False


def _list_created(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    truth["lists", "list"][data["list_id"],] = dict(data)


def _list_renamed(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    if row := truth["lists", "list"].get((data["list_id"],)):
        row["name"] = data["name"]


def _list_deleted(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    truth["lists", "list"].pop((data["list_id"],), None)


def _member_added(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    truth["lists", "member"][data["list_id"], data["user_id"]] = dict(data)


def _member_removed(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    truth["lists", "member"].pop((data["list_id"], data["user_id"]), None)


def _bookmarked(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    truth["bookmarks", "bookmark"][data["user_id"], data["tweet_id"]] = dict(data)
    shelves.setdefault(data["user_id"], set()).add(data["tweet_id"])


def _unbookmarked(truth: dict[View, Rows], shelves: dict[str, set[str]], data: dict[str, Any]) -> None:
    truth["bookmarks", "bookmark"].pop((data["user_id"], data["tweet_id"]), None)
    if shelf := shelves.get(data["user_id"]):
        shelf.discard(data["tweet_id"])


_TELLERS = {
    "user-registered": _user_registered,
    "user-renamed": _user_renamed,
    "user-closed": _user_closed,
    "list-created": _list_created,
    "list-renamed": _list_renamed,
    "list-deleted": _list_deleted,
    "list-member-added": _member_added,
    "list-member-removed": _member_removed,
    "tweet-bookmarked": _bookmarked,
    "tweet-unbookmarked": _unbookmarked,
}
