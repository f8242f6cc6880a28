"""Bookmarks: one row for each, each user's shelf, and the desk that decides whether a bookmark can be had."""

from __future__ import annotations

from chirp.bookmarked import TweetBookmarked, bookmark
from chirp.events import (
    BookmarkRefused,
    BookmarkRequested,
    TweetDeleted,
    TweetPosted,
    TweetUnbookmarked,
    UnbookmarkRequested,
    UserClosed,
)
from tidings import Context, Service

SLOTS = 5
"""How many bookmarks a user may ask for at a time."""

bookmarks = Service("bookmarks", emits=[BookmarkRefused, TweetBookmarked])


@bookmarks.view(key=("user_id", "tweet_id"))
class Bookmark:
    user_id: str
    tweet_id: str


@bookmarks.fold(Bookmark, TweetBookmarked)
def bookmarked(row: Bookmark | None, event: TweetBookmarked) -> Bookmark:
    return Bookmark(event.user_id, event.tweet_id)


@bookmarks.fold(Bookmark, TweetUnbookmarked)
def unbookmarked(row: Bookmark | None, event: TweetUnbookmarked) -> None:
    return None


@bookmarks.view(key=("user_id",))
class Shelf:
    user_id: str
    tweets: list[str]


@bookmarks.fold(Shelf, TweetBookmarked)
def shelved(row: Shelf | None, event: TweetBookmarked) -> Shelf:
    kept = row.tweets if row else []
    return Shelf(event.user_id, sorted({*kept, event.tweet_id}))


@bookmarks.fold(Shelf, TweetUnbookmarked)
def unshelved(row: Shelf | None, event: TweetUnbookmarked) -> Shelf | None:
    return row and Shelf(row.user_id, [tweet for tweet in row.tweets if tweet != event.tweet_id])


@bookmarks.fold(Shelf, UserClosed)
def cleared(row: Shelf | None, event: UserClosed) -> None:
    return None


@bookmarks.view(key=("tweet_id",))
class Tweet:
    """What bookmarks know of a tweet."""

    tweet_id: str
    author_id: str
    text: str
    deleted: bool


@bookmarks.fold(Tweet, TweetPosted)
def posted(row: Tweet | None, event: TweetPosted) -> Tweet:
    return Tweet(event.tweet_id, event.author_id, event.text, False)


@bookmarks.fold(Tweet, TweetDeleted)
def deleted(row: Tweet | None, event: TweetDeleted) -> Tweet | None:
    return row and Tweet(row.tweet_id, row.author_id, row.text, True)


# The desk decides on rows that its own handlers write: they are as new as its decisions, where a folded view is a
# moment behind.


@bookmarks.view(key=("user_id", "tweet_id"))
class Slot:
    user_id: str
    tweet_id: str


@bookmarks.view(key=("tweet_id",))
class Gone:
    tweet_id: str


@bookmarks.on(TweetDeleted)
async def note_gone(event: TweetDeleted, ctx: Context) -> None:
    await ctx.put(Gone(event.tweet_id))


@bookmarks.on(BookmarkRequested)
async def decide(event: BookmarkRequested, ctx: Context) -> None:
    reason = await _reason_against(event, ctx)
    if reason is not None:
        await ctx.emit(BookmarkRefused(event.user_id, event.tweet_id, reason))
        return
    await ctx.put(Slot(event.user_id, event.tweet_id))
    await ctx.emit(bookmark(event.tweet_id, event.user_id))


@bookmarks.on(UnbookmarkRequested)
async def free(event: UnbookmarkRequested, ctx: Context) -> None:
    await ctx.delete(Slot, user_id=event.user_id, tweet_id=event.tweet_id)
    await ctx.emit(TweetUnbookmarked(event.tweet_id, event.user_id))


async def _reason_against(event: BookmarkRequested, ctx: Context) -> str | None:
    if await ctx.get(Gone, tweet_id=event.tweet_id) is not None:
        return "The tweet was deleted."
    if await ctx.get(Slot, user_id=event.user_id, tweet_id=event.tweet_id) is not None:
        return None  # it is theirs already
    [(taken,)] = await ctx.sql.fetch("SELECT count(*) FROM bookmarks_slot WHERE user_id = $1", (event.user_id,))
    return f"All {SLOTS} of your bookmarks are taken: remove one first." if taken >= SLOTS else None
