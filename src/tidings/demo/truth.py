"""What every view must hold in the end, worked out from the true history alone, without any of tidings' own code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

Row = dict[str, Any]
Rows = dict[tuple[str, ...], Row]
View = tuple[str, str]

KEYS: dict[View, tuple[str, ...]] = {
    ("users", "user"): ("user_id",),
    ("users", "welcome"): ("user_id",),
    ("lists", "list"): ("list_id",),
    ("lists", "member"): ("list_id", "user_id"),
    ("lists", "name"): ("user_id",),
    ("bookmarks", "bookmark"): ("user_id", "tweet_id"),
    ("bookmarks", "shelf"): ("user_id",),
    ("bookmarks", "tweet"): ("tweet_id",),
    ("bookmarks", "slot"): ("user_id", "tweet_id"),
    ("bookmarks", "gone"): ("tweet_id",),
    ("orders", "order"): ("order_id",),
    ("orders", "account"): ("user_id",),
}


class Told(Protocol):
    """Something that happened: its type, and its data."""

    @property
    def type(self) -> str: ...

    @property
    def data(self) -> dict[str, Any]: ...


class Truth:
    """The rows of every view. Told the events in the order they truly happened, each once, it is right."""

    def __init__(self) -> None:
        self.rows: dict[View, Rows] = {view: {} for view in KEYS}

    def tell(self, happenings: Iterable[Told]) -> Truth:
        """Let these happen, in this order; return itself."""
        for happening in happenings:
            service = _SERVICES[happening.type.partition("-")[0]]
            service(self.rows, happening.type, happening.data)
        return self

    def hold(self, slots: Iterable[tuple[str, str]]) -> Truth:
        """Let these (user, tweet) be the slots that are taken at the desk; return itself."""
        self.rows["bookmarks", "slot"] = {slot: {"user_id": slot[0], "tweet_id": slot[1]} for slot in slots}
        return self


def _user(rows: dict[View, Rows], type: str, data: Row) -> None:
    key = (data["user_id"],)
    user, name = rows["users", "user"].get(key), rows["lists", "name"].get(key)
    if type == "user-registered":
        rows["users", "user"][key] = {**data, "open": True}
        welcomed = rows["users", "welcome"].get(key, {"times": 0})["times"]
        rows["users", "welcome"][key] = {"user_id": data["user_id"], "times": welcomed + 1}
        rows["lists", "name"][key] = {**data, "changes": name["changes"] if name else 0}
    elif type == "user-renamed" and user and name:
        user["handle"] = name["handle"] = data["handle"]
        name["changes"] += 1
    elif type == "user-closed":
        rows["bookmarks", "shelf"].pop(key, None)
        if user:
            user["open"] = False


def _list(rows: dict[View, Rows], type: str, data: Row) -> None:
    key, lists, members = (data["list_id"],), rows["lists", "list"], rows["lists", "member"]
    if type == "list-created":
        lists[key] = dict(data)
    elif type == "list-renamed" and key in lists:
        lists[key]["name"] = data["name"]
    elif type == "list-deleted":
        lists.pop(key, None)
    elif type == "list-member-added":
        members[data["list_id"], data["user_id"]] = dict(data)
    elif type == "list-member-removed":
        members.pop((data["list_id"], data["user_id"]), None)


def _tweet(rows: dict[View, Rows], type: str, data: Row) -> None:
    tweet, tweets = data["tweet_id"], rows["bookmarks", "tweet"]
    bookmarks, shelves = rows["bookmarks", "bookmark"], rows["bookmarks", "shelf"]
    if type == "tweet-posted":
        tweets[tweet,] = {**data, "deleted": False}
    elif type == "tweet-deleted":
        rows["bookmarks", "gone"][tweet,] = {"tweet_id": tweet}
        if (tweet,) in tweets:
            tweets[tweet,]["deleted"] = True
    elif type == "tweet-bookmarked":
        user = data["user_id"]
        bookmarks[user, tweet] = dict(data)
        shelf = shelves.setdefault((user,), {"user_id": user, "tweets": []})
        shelf["tweets"] = sorted({*shelf["tweets"], tweet})
    elif type == "tweet-unbookmarked":
        bookmarks.pop((data["user_id"], tweet), None)
        if (data["user_id"],) in shelves:
            shelf = shelves[data["user_id"],]
            shelf["tweets"] = [kept for kept in shelf["tweets"] if kept != tweet]


def _refusal(rows: dict[View, Rows], type: str, data: Row) -> None:
    """A refusal leaves no trace in any view."""


def _order(rows: dict[View, Rows], type: str, data: Row) -> None:
    key, state = (data["order_id"],), type.removeprefix("order-")
    if state == "deleted":
        rows["orders", "order"].pop(key, None)
        return
    rows["orders", "order"][key] = {**data, "state": state}
    if state in ("paid", "shipped", "refunded"):
        new = {"user_id": data["user_id"], "paid": 0, "refunded": 0, "orders": {}}
        account = rows["orders", "account"].setdefault((data["user_id"],), new)
        account["orders"][data["order_id"]] = [data["revision"], data["paid"], data["refunded"]]
        account["paid"] = sum(paid for _, paid, _ in account["orders"].values())
        account["refunded"] = sum(refunded for _, _, refunded in account["orders"].values())


_SERVICES = {"user": _user, "list": _list, "tweet": _tweet, "order": _order, "bookmark": _refusal}
