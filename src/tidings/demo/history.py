"""What truly happens on Chirp, from a seed: events in the order of their own times. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tidings.demo.till import Till

DAYS = 7
TWEETS_PER_USER = 4
ORDERS = 0.12
"""How many orders there are for each event."""
TOLD_BY_TILL = 0.31


@dataclass(frozen=True, slots=True)
class Happening:
    """One event. `at`: when it truly happened, in µs since 1970; no two have the same.

    `clock_error`: by how much the clock of whoever tells it is wrong, in µs.
    """

    source: str
    id: str
    type: str
    at: int
    data: dict[str, Any]
    clock_error: int = 0

    @property
    def time(self) -> str:
        """When it happened, as whoever tells it says."""
        said = self.at + self.clock_error
        moment = datetime.fromtimestamp(said // 1_000_000, tz=UTC) + timedelta(microseconds=said % 1_000_000)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def write_history(random: Random, *, events: int, now: int) -> list[Happening]:
    """Return `events` happenings of the week that ends at `now` (µs since 1970), oldest first."""
    story = _Story(random, users=max(3, events // 20), orders=max(2, round(events * ORDERS)))
    start = now - DAYS * 86_400_000_000
    moments = sorted(random.sample(range(start, now), events))
    return [story.next(moment) for moment in moments]


class _Story:
    """Draws the next event from what exists so far, so that most of them mean something, and some nothing."""

    def __init__(self, random: Random, *, users: int, orders: int) -> None:
        self._random = random
        self._count = 0
        self._users = [f"user-{n}" for n in range(users)]
        self._tweets = [f"tweet-{n}" for n in range(users * TWEETS_PER_USER)]
        self._lists = [f"list-{n}" for n in range(max(2, users // 3))]
        self._unregistered = list(reversed(self._users))
        self._uncreated = list(reversed(self._lists))
        self._unposted = list(reversed(self._tweets))
        self._till = Till(random, orders=orders, buyer=self._user)
        self._marks: list[tuple[str, str]] = []
        self._members: list[tuple[str, str]] = []

    def next(self, at: int) -> Happening:
        self._count += 1
        told = self._till.next() if self._random.random() < TOLD_BY_TILL else None
        if told is not None:
            return Happening("/till", self._id(at), told[0], at, told[1], self._till.clock_error())
        type, data = self._draw()
        return Happening(f"/chirp/{type.partition('-')[0]}", self._id(at), type, at, data)

    def _id(self, at: int) -> str:
        # Publishers make ids as they like: some shaped like time, some not.
        kind = self._count % 3
        if kind == 0:
            return f"{at // 1000:012x}-{self._random.getrandbits(64):016x}"
        return f"n-{self._count}" if kind == 1 else f"{self._random.getrandbits(128):032x}"

    def _draw(self) -> tuple[str, dict[str, Any]]:
        random = self._random
        if self._unregistered and random.random() < 0.12:
            user = self._unregistered.pop()
            return "user-registered", {"user_id": user, "handle": f"@{user}"}
        if self._uncreated and random.random() < 0.05:
            data = {"list_id": self._uncreated.pop(), "owner_id": self._user(), "name": f"list {self._count}"}
            return "list-created", data
        if self._unposted and random.random() < 0.10:
            tweet = self._unposted.pop()
            return "tweet-posted", {"tweet_id": tweet, "author_id": self._user(), "text": f"Chirp {self._count}!"}
        return next(self._ordinary())

    def _ordinary(self) -> Iterator[tuple[str, dict[str, Any]]]:
        random = self._random
        chance = random.random()
        if chance < 0.45:
            mark = (self._user(), random.choice(self._tweets))
            self._marks.append(mark)
            yield "tweet-bookmarked", {"tweet_id": mark[1], "user_id": mark[0]}
        elif chance < 0.65 and self._marks:
            user, tweet = random.choice(self._marks[-200:])
            yield "tweet-unbookmarked", {"tweet_id": tweet, "user_id": user}
        elif chance < 0.75:
            member = (random.choice(self._lists), self._user())
            self._members.append(member)
            yield "list-member-added", {"list_id": member[0], "user_id": member[1]}
        elif chance < 0.82 and self._members:
            list_id, user = random.choice(self._members[-200:])
            yield "list-member-removed", {"list_id": list_id, "user_id": user}
        elif chance < 0.87:
            yield "list-renamed", {"list_id": random.choice(self._lists), "name": f"renamed {self._count}"}
        elif chance < 0.88:
            yield "list-deleted", {"list_id": random.choice(self._lists)}
        elif chance < 0.89:
            yield "tweet-deleted", {"tweet_id": random.choice(self._tweets)}
        elif chance < 0.90:
            yield "user-closed", {"user_id": self._user()}
        else:
            yield "user-renamed", {"user_id": self._user(), "handle": f"@{self._count}"}

    def _user(self) -> str:
        return self._random.choice(self._users)
