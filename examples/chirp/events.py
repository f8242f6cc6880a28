"""The events of Chirp: all that its services know of each other, but for what `bookmarked` has."""

from __future__ import annotations

from typing import Any

from tidings import event, upcaster


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


@event("tweet-unbookmarked", subject="tweet_id")
class TweetUnbookmarked:
    tweet_id: str
    user_id: str


@event("tweet-posted", subject="tweet_id")
class TweetPosted:
    tweet_id: str
    author_id: str
    text: str


@event("tweet-deleted", subject="tweet_id")
class TweetDeleted:
    tweet_id: str


# Whoever asks for a bookmark is answered by an event: the bookmark, or the refusal. Both name the request as their
# cause. Requests are about the user, so that one user's are decided in the order they were made.


@event("bookmark-requested", subject="user_id")
class BookmarkRequested:
    user_id: str
    tweet_id: str


@event("unbookmark-requested", subject="user_id")
class UnbookmarkRequested:
    user_id: str
    tweet_id: str


@event("bookmark-refused", subject="user_id")
class BookmarkRefused:
    user_id: str
    tweet_id: str
    reason: str


# What Till tells. `revision` is its own count of what happened to the order.


@event("order-placed", subject="order_id")
class OrderPlaced:
    order_id: str
    revision: int
    user_id: str
    item: str


@event("order-paid", version=2, subject="order_id")
class OrderPaid:
    order_id: str
    revision: int
    user_id: str
    cents: int


@event("order-paid", version=1, subject="order_id")
class OrderPaidInFractions:
    """As Till's older machines tell it: `amount` is a number such as 12.5, in units of a hundred cents."""

    order_id: str
    revision: int
    user_id: str
    amount: float


@upcaster(OrderPaid, from_version=1)
def in_cents(data: dict[str, Any]) -> dict[str, Any]:
    cents = round(100 * data["amount"])
    return {"order_id": data["order_id"], "revision": data["revision"], "user_id": data["user_id"], "cents": cents}


@event("order-shipped", subject="order_id")
class OrderShipped:
    order_id: str
    revision: int


@event("order-refunded", subject="order_id")
class OrderRefunded:
    order_id: str
    revision: int
    user_id: str
    cents: int


@event("order-cancelled", subject="order_id")
class OrderCancelled:
    order_id: str
    revision: int
