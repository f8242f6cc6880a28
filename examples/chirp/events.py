"""The events of Chirp: all that its services know of each other."""

from __future__ import annotations

from tidings import event


@event("user-registered", subject="user_id")
class UserRegistered:
    user_id: str
    handle: str


@event("user-renamed", subject="user_id")
class UserRenamed:
    user_id: str
    handle: str


@event("user-closed", subject="user_id")
class UserClosed:
    user_id: str


@event("user-welcomed", subject="user_id")
class UserWelcomed:
    user_id: str
    handle: str


@event("list-created", subject="list_id")
class ListCreated:
    list_id: str
    owner_id: str
    name: str


@event("list-renamed", subject="list_id")
class ListRenamed:
    list_id: str
    name: str


@event("list-deleted", subject="list_id")
class ListDeleted:
    list_id: str


@event("list-member-added", subject="list_id")
class ListMemberAdded:
    list_id: str
    user_id: str


@event("list-member-removed", subject="list_id")
class ListMemberRemoved:
    list_id: str
    user_id: str


@event("tweet-bookmarked", subject="tweet_id")
class TweetBookmarked:
    tweet_id: str
    user_id: str


@event("tweet-unbookmarked", subject="tweet_id")
class TweetUnbookmarked:
    tweet_id: str
    user_id: str
