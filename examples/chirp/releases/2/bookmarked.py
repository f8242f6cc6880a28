"""What bookmarks tell of each other: no folder at first, then one."""

from __future__ import annotations

from typing import Any

from tidings import downcaster, event, upcaster


@event("tweet-bookmarked", version=2, subject="tweet_id")
class TweetBookmarked:
    tweet_id: str
    user_id: str
    folder: str = "all"


@upcaster(TweetBookmarked, from_version=1)
def in_the_folder_of_all(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "folder": "all"}


@downcaster(TweetBookmarked, from_version=2, loses=("folder",))
def in_no_folder(data: dict[str, Any]) -> dict[str, Any]:
    return {"tweet_id": data["tweet_id"], "user_id": data["user_id"]}


def bookmark(tweet_id: str, user_id: str) -> TweetBookmarked:
    """Return a bookmark as whoever names no folder makes it."""
    return TweetBookmarked(tweet_id, user_id)
