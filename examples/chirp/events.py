"""The events of Chirp: all that its services know of each other, but for what `bookmarked` has."""

from __future__ import annotations

from datetime import datetime
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


# What Till tells: the whole order as it is then, in which state the type says. `revision` is its own count of what
# happened to the order, `updated_at` when it last did; `paid` and `refunded` are cents.


@event("order-placed", subject="order_id")
class OrderPlaced:
    order_id: str
    revision: int
    updated_at: datetime
    user_id: str
    item: str
    paid: int
    refunded: int


@event("order-paid", version=2, subject="order_id")
class OrderPaid:
    order_id: str
    revision: int
    updated_at: datetime
    user_id: str
    item: str
    paid: int
    refunded: int


@event("order-paid", version=1, subject="order_id")
class OrderPaidInFractions:
    """As Till's older machines tell it: `amount` is a number such as 12.5, in units of a hundred cents."""

    order_id: str
    revision: int
    updated_at: datetime
    user_id: str
    item: str
    amount: float


@upcaster(OrderPaid, from_version=1)
def in_cents(data: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in data.items() if name != "amount"}
    return kept | {"paid": round(100 * data["amount"]), "refunded": 0}


@event("order-shipped", subject="order_id")
class OrderShipped:
    order_id: str
    revision: int
    updated_at: datetime
    user_id: str
    item: str
    paid: int
    refunded: int


@event("order-refunded", subject="order_id")
class OrderRefunded:
    order_id: str
    revision: int
    updated_at: datetime
    user_id: str
    item: str
    paid: int
    refunded: int


@event("order-cancelled", subject="order_id")
class OrderCancelled:
    order_id: str
    revision: int
    updated_at: datetime
    user_id: str
    item: str
    paid: int
    refunded: int


@event("order-deleted", subject="order_id")
class OrderDeleted:
    """Till tells of none that it deletes: this is said once its list no longer has the order."""

    order_id: str
