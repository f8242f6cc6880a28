"""The releases of three services that live through three versions of one event, as applications of their own.

`bookmarks` emits `tweet-bookmarked`; `lists` reads it and emits `list-extended`; `users` reads both.
"""

from __future__ import annotations

from typing import Any

from tidings import App, Context, Service, downcaster, event, upcaster


def first() -> type:
    @event("tweet-bookmarked", version=1, subject="tweet_id")
    class TweetBookmarked:
        tweet_id: str
        user_id: str

    return TweetBookmarked


def second() -> type:
    @event("tweet-bookmarked", version=2, subject="tweet_id")
    class TweetBookmarked:
        tweet_id: str
        user_id: str
        folder: str = "all"

    return TweetBookmarked


def third() -> type:
    @event("tweet-bookmarked", version=3, subject="tweet_id")
    class TweetBookmarked:
        tweet_id: str
        owner: dict[str, str]
        folder: str = "all"

    @upcaster(TweetBookmarked, from_version=2)
    def owner_from_user(data: dict[str, Any]) -> dict[str, Any]:
        owner = {"kind": "user", "id": data["user_id"]}
        return {"tweet_id": data["tweet_id"], "folder": data.get("folder", "all"), "owner": owner}

    @downcaster(TweetBookmarked, from_version=3, loses=("owner.kind",))
    def user_from_owner(data: dict[str, Any]) -> dict[str, Any]:
        folder = data.get("folder", "all")
        return {"tweet_id": data["tweet_id"], "folder": folder, "user_id": data["owner"]["id"]}

    return TweetBookmarked


def extended() -> type:
    @event("list-extended", version=1, subject="list_id")
    class ListExtended:
        list_id: str

    return ListExtended


def bookmarks(bookmarked: type) -> App:
    return App(Service("bookmarks", emits=[bookmarked]))


def lists(bookmarked: type, *, seen: list[Any] | None = None) -> App:
    longer = extended()
    service = Service("lists", emits=[longer])

    @service.on(bookmarked)
    async def extend(event: Any, ctx: Context) -> None:
        if seen is not None:
            seen.append((ctx.envelope.stored_version, event))
        if event.tweet_id == "bad":
            raise ValueError("no list has room for it")
        await ctx.emit(longer(list_id=event.tweet_id))

    return App(service)


def users(bookmarked: type) -> App:
    service = Service("users")

    @service.on(bookmarked)
    async def count(event: Any, ctx: Context) -> None:
        return None

    @service.on(extended())
    async def note(event: Any, ctx: Context) -> None:
        return None

    return App(service)
