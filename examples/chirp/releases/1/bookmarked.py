"""What bookmarks tell of each other."""

from __future__ import annotations

from tidings import event


@event("tweet-bookmarked", version=1, subject="tweet_id")
class TweetBookmarked:
    tweet_id: str
    user_id: str


def bookmark(tweet_id: str, user_id: str) -> TweetBookmarked:
    """Return a bookmark."""
    return TweetBookmarked(tweet_id, user_id)
