"""Who is on Chirp: names by the events' own times, and one welcome for each registration."""

from __future__ import annotations

import json
import os

from chirp.bookmarked import TweetBookmarked
from chirp.events import UserClosed, UserRegistered, UserRenamed, UserWelcomed
from tidings import Context, Delivery, Service

users = Service("users", emits=[UserWelcomed])


@users.view(key=("user_id",))
class User:
    user_id: str
    handle: str
    open: bool


@users.fold(User, UserRegistered)
def registered(row: User | None, event: UserRegistered) -> User:
    return User(event.user_id, event.handle, True)


@users.fold(User, UserRenamed)
def renamed(row: User | None, event: UserRenamed) -> User | None:
    return row and User(row.user_id, event.handle, row.open)


@users.fold(User, UserClosed)
def closed(row: User | None, event: UserClosed) -> User | None:
    return row and User(row.user_id, row.handle, False)


@users.view(key=("user_id",))
class Welcome:
    """How often a user was welcomed: once for each registration, whatever came twice."""

    user_id: str
    times: int


@users.fold(Welcome, UserWelcomed)
def counted(row: Welcome | None, event: UserWelcomed) -> Welcome:
    return Welcome(event.user_id, (row.times if row else 0) + 1)


@users.view(key=("event",))
class Told:
    """Of each bookmark, the version in which it was told and the one in which it was read here."""

    event: str
    told: int
    read: int


@users.on(TweetBookmarked)
async def note(event: TweetBookmarked, ctx: Context) -> None:
    seen = ctx.envelope
    await ctx.put(Told(f"{seen.source} {seen.id}", seen.stored_version, seen.dataversion))


@users.on(UserRegistered)
async def welcome(event: UserRegistered, ctx: Context) -> None:
    await ctx.emit(UserWelcomed(event.user_id, event.handle))
    await ctx.deliver(greet, {"user_id": event.user_id})


@users.delivery
async def greet(payload: dict[str, str], delivery: Delivery) -> None:
    """Stands for a mail: sent at least once, always with the same key, by which the other side can tell a repeat."""
    _post({"to": payload["user_id"], "key": delivery.idempotency_key})


def _post(mail: dict[str, str]) -> None:
    mailbox = os.environ.get("CHIRP_MAILBOX")
    if mailbox:
        with open(mailbox, "a", encoding="utf-8") as file:
            file.write(json.dumps(mail) + "\n")
