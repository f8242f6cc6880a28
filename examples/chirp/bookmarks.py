"""Bookmarks: one row for each, and each user's shelf, which is fed by many tweets and by the users' own events."""

from __future__ import annotations

from chirp.events import TweetBookmarked, TweetUnbookmarked, UserClosed
from tidings import Service

bookmarks = Service("bookmarks")


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
