"""People who ask for bookmarks from a page, one request after the other, some of them twice. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tidings.demo.traffic import Request, put_now

SLOTS = 5
"""What Chirp promises: so many bookmarks at a time."""
WISHES = 12
REPEATED = 0.25


@dataclass(frozen=True, slots=True)
class Wish:
    """One request: `type` is what is asked for."""

    id: str
    type: str
    user_id: str
    tweet_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The event that must answer a wish: `type`."""

    type: str
    wish: Wish

    @property
    def data(self) -> dict[str, str]:
        return {"user_id": self.wish.user_id, "tweet_id": self.wish.tweet_id}


def draw_wishes(random: Random, *, visitors: int) -> list[Wish]:
    """Return what the visitors ask for, in the order they do."""
    wishes = []
    for n in range(visitors * WISHES):
        user, tweet = f"visitor-{random.randrange(visitors)}", f"page-{random.randrange(WISHES)}"
        type = "unbookmark-requested" if random.random() < 0.2 else "bookmark-requested"
        wishes.append(Wish(f"wish-{n}", type, user, tweet))
    return wishes


def wish_requests(random: Random, wishes: Sequence[Wish]) -> Iterator[Request]:
    """Put each wish into a request; a page that got no answer in time sends the same again."""
    for wish in wishes:
        request = put_now("/page", wish.id, wish.type, {"user_id": wish.user_id, "tweet_id": wish.tweet_id})
        yield request
        while random.random() < REPEATED:
            yield request


def decide(wishes: Sequence[Wish]) -> tuple[list[Decision], dict[str, list[str]]]:
    """Return what comes of each wish, and who has which bookmarks in the end."""
    held: dict[str, list[str]] = {}
    decisions = []
    for wish in wishes:
        kept = held.setdefault(wish.user_id, [])
        if wish.type == "unbookmark-requested":
            held[wish.user_id] = [tweet for tweet in kept if tweet != wish.tweet_id]
            decisions.append(Decision("tweet-unbookmarked", wish))
        elif wish.tweet_id not in kept and len(kept) >= SLOTS:
            decisions.append(Decision("bookmark-refused", wish))
        else:
            held[wish.user_id] = [*kept, wish.tweet_id] if wish.tweet_id not in kept else kept
            decisions.append(Decision("tweet-bookmarked", wish))
    return decisions, held
