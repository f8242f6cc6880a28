"""The events that are measured with: bookmarks whose data is 300 bytes of JSON."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

from tidings import App, Service, event
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.events.identity import uuid7
from tidings.events.timestamp import time_text
from tidings.webhooks.receive.presets import PRESETS

DATA_BYTES = 300
SECRET = "whsec_2b7e151628aed2a6abf7158809cf4f3c"
SOURCE = "//benchmarks/bookmarks"
_BEGAN_US = 1_770_000_000_000_000
_WORDS = "Events arrive twice, late, out of order or never, and the view ends right anyway; who would not bookmark it? "
_ATTRIBUTES = {"datacontenttype": "application/json"}


@event("tweet-bookmarked", subject="tweet_id")
class TweetBookmarked:
    tweet_id: str
    user_id: str
    text: str


@event("stripe.invoice.paid")
class InvoicePaid:
    id: str
    type: str
    data: dict[str, Any]


bookmarks = Service("bookmarks")


def receiving() -> App:
    """Return an application that takes a till's webhooks, and bookmarks over `POST /events`."""
    app = App(Service("bookmarks", emits=[TweetBookmarked, InvoicePaid]))
    app.receiver("till", PRESETS["stripe"], secrets=(SECRET,), source="/till")
    return app


@bookmarks.view(key=("user_id", "tweet_id"))
class Bookmark:
    user_id: str
    tweet_id: str
    text: str


@bookmarks.fold(Bookmark, TweetBookmarked)
def bookmarked(row: Bookmark | None, event: TweetBookmarked) -> Bookmark:
    return Bookmark(event.user_id, event.tweet_id, event.text)


def facts(seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield (tweet, user, text) without end, no pair of the first two twice."""
    draw = random.Random(seed)
    number = 0
    while True:
        tweet, user = f"t{draw.getrandbits(40):013d}", f"u{number:07d}{draw.getrandbits(16):05d}"
        yield tweet, user, (_WORDS * 4)[: DATA_BYTES - _size(tweet, user)]
        number += 1


def _size(tweet: str, user: str) -> int:
    return len('{"tweet_id":"","user_id":"","text":""}') + len(tweet) + len(user)


def envelopes(count: int, *, seed: int, start: int = 0, opaque: bool = False) -> list[Envelope]:
    """Return new envelopes of `count` facts, from the one at `start` on.

    `opaque`: with random ids, else with UUIDs of version 7. The same arguments give the same envelopes.
    """
    draw = random.Random(f"{seed} {start}")
    return [
        Envelope(
            id=_random_id(draw) if opaque else uuid7(_BEGAN_US + seed * 1_000_000_000 + n * 50, draw.getrandbits(74)),
            source=SOURCE,
            type="tweet-bookmarked",
            subject=tweet,
            time=time_text(_BEGAN_US + n * 50),
            attributes=_ATTRIBUTES,
            data=encode_json(TweetBookmarked(tweet, user, text)),
        )
        for n, (tweet, user, text) in enumerate(islice(facts(seed), start, start + count), start)
    ]


def _random_id(draw: random.Random) -> str:
    digits = f"{draw.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
