"""What bookmarks tell of each other, version by version: no folder at first, then one, now as many as one likes.

Who knows one folder would read the third version without a word, and lose the folders: so it says that it means another
thing, and nobody reads it who has no class for it. `releases` has this file as the two releases before had it.
"""

from __future__ import annotations

from typing import Any

from tidings import downcaster, event, upcaster


@event("tweet-bookmarked", version=3, subject="tweet_id", reserved=("folder",), semantic_change=True)
class TweetBookmarked:
    tweet_id: str
    user_id: str
    folders: list[str]


@upcaster(TweetBookmarked, from_version=1)
def in_the_folder_of_all(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "folder": "all"}


@upcaster(TweetBookmarked, from_version=2)
def in_one_folder(data: dict[str, Any]) -> dict[str, Any]:
    return {"tweet_id": data["tweet_id"], "user_id": data["user_id"], "folders": [data.get("folder", "all")]}


@downcaster(TweetBookmarked, from_version=3, loses=("folders",))
def in_the_first_folder(data: dict[str, Any]) -> dict[str, Any]:
    folder = next(iter(data["folders"]), "all")
    return {"tweet_id": data["tweet_id"], "user_id": data["user_id"], "folder": folder}


def bookmark(tweet_id: str, user_id: str) -> TweetBookmarked:
    """Return a bookmark as whoever names no folder makes it."""
    return TweetBookmarked(tweet_id, user_id, ["all"])
