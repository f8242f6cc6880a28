"""Requests that came to receivers, as they are kept, and what tells a new one from a repeat. Times are µs since 1970.

Every event of a request has an identity: a key, unique within a source, and what its content is known by. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Literal, NamedTuple

import msgspec

from tidings.errors import NotFoundError, RefusedError
from tidings.events.envelope import Envelope
from tidings.store.reason import readable

ReceiptOutcome = Literal["stored", "failed", "conflict", "dropped"]
Verdict = Literal["new", "duplicate", "unfinished", "conflict"]

_written = msgspec.msgpack.Encoder().encode
_read_headers = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]]).decode


class Identity(msgspec.Struct, frozen=True, order=True, gc=False):
    """What an event of a request is known by. `content`: the hash of what must not differ under the same key.

    `item`: the place of the event in its request; one event may be known by two keys.
    """

    key: str
    content: bytes
    item: int = 0


class Received(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request that was verified, as it is to be kept.

    `headers`, `query`: credentials masked; `headers` as `headers_bytes` writes them. `outcome`: `failed` with its
    `error` for what could not be read as events. `items`: JSON, what became of it. `forget_at`: until then a repeat is
    known. `refused`: places of items whose events the log has with other content.
    """

    receiver: str
    source: str
    identities: tuple[Identity, ...]
    received: int
    forget_at: int
    method: str
    query: bytes
    headers: bytes
    body: bytes
    items: bytes
    outcome: ReceiptOutcome = "stored"
    error: str | None = None
    refused: frozenset[int] = frozenset()

    @property
    def conflict(self) -> Identity:
        """By what it is known if it is in conflict: anybody can send again what the sender signed."""
        digest = sha256(self.body)
        return Identity(f"conflict:{digest.hexdigest()}", digest.digest())


Events = tuple[tuple[Envelope, ...], ...]
"""Those of each item, in the order of the items."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was verified, with the events of each of its items."""

    received: Received
    events: Events = ()


class Judged(msgspec.Struct, frozen=True, gc=False):
    """What a request is. `n`: of its receipt; for a duplicate, of the one that was kept before.

    `new`: the events are to be appended whose places are in `fresh`. `duplicate`: nothing is to be done. `unfinished`:
    as `duplicate`, but the kept one failed, so it is done now. `conflict`: an item came before with other content, so
    that this one is kept, too; the items in `fresh` are new. The same body again is a duplicate of it.
    """

    n: int
    verdict: Verdict
    fresh: frozenset[int]


class Owner(NamedTuple):
    """Who has a key: the receipt, what the content is known by, and whether the receipt has failed."""

    content: bytes
    n: int
    failed: bool


SourceKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A kept request, without its body. `seen`: how often it came; `last_seen`: when it came last.

    `replayed`: when it was translated again last, and `replays` how often. `bytes`: of the body; None: it is pruned.
    """

    n: int
    receiver: str
    source: str
    received: int
    outcome: ReceiptOutcome
    error: str | None
    items: bytes
    seen: int
    last_seen: int
    replayed: int | None
    replays: int
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A kept request as it came. `headers`: as `headers_bytes` writes them."""

    receipt: Receipt
    method: str
    query: bytes
    headers: bytes
    body: bytes

    @property
    def pairs(self) -> list[tuple[bytes, bytes]]:
        """The names and values of its headers."""
        return _read_headers(self.headers)


def headers_bytes(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return what is kept of headers: MessagePack, since JSON would have each name and value decoded first."""
    return _written(pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptTally:
    """How many receipts there are of each outcome, and how many requests repeated one of them."""

    outcomes: Mapping[ReceiptOutcome, int]
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRecord:
    """One receiver that is no part of the application's code. `version` rises with each change, from 1.

    `config`: JSON, checked by who hands it in. `secrets` are opaque. `state`: a retired one answers, but takes nothing.
    """

    id: str
    config: bytes
    created: int
    secrets: bytes = b""
    version: int = 1
    state: Literal["active", "retired"] = "active"


def items_of(events: Events, among: Iterable[Envelope]) -> frozenset[int]:
    """Return the places of the items that have one of these events."""
    ids = {each.id for each in among}
    return frozenset(item for item, made in enumerate(events) if not ids.isdisjoint([each.id for each in made]))


def finishing(arrivals: Iterable[Arrival], judged: Iterable[Judged]) -> list[tuple[Received, int]]:
    """Return those by which a receipt that failed becomes events, each with the number of that receipt."""
    return [
        (arrival.received, verdict.n)
        for arrival, verdict in zip(arrivals, judged, strict=True)
        if verdict.verdict == "unfinished" and arrival.received.outcome == "stored"
    ]


def fresh_events(arrival: Arrival, judged: Judged) -> tuple[Envelope, ...]:
    """Return the events that are to be appended."""
    received = arrival.received
    if judged.verdict == "duplicate" or received.outcome != "stored":
        return ()
    if len(arrival.events) == 1 and 0 in judged.fresh:
        return arrival.events[0]
    known = {identity.item for identity in received.identities} | received.refused
    left_out = known - judged.fresh
    return tuple(event for item, made in enumerate(arrival.events) if item not in left_out for event in made)


def fresh_among(arrivals: Iterable[Arrival], judged: Iterable[Judged]) -> tuple[Envelope, ...]:
    """Return the events that are to be appended of all of them: as one emission, for a receipt each would be felt."""
    return tuple(chain.from_iterable(map(fresh_events, arrivals, judged)))


def row_of(received: Received, judged: Judged) -> tuple[object, ...]:
    """Return the columns of `ADDED`."""
    return (
        received.receiver,
        received.source,
        received.method,
        "conflict" if judged.verdict == "conflict" else received.outcome,
        judged.n,
        received.received,
        received.forget_at,
        received.query,
        received.headers,
        received.body,
        received.items,
        None if received.error is None else readable(received.error),
        received.received,
    )


ADDED = "receiver, source, method, outcome, n, received, forget_at, query, headers, body, items, error, last_seen"
SHARED = 4
"""So many of the first of `ADDED` are mostly the same for all requests that are kept together."""


def no_receipt(n: int) -> NotFoundError:
    return NotFoundError("receipt", str(n))


def no_receiver(id: str, there: Iterable[str] | None = None) -> NotFoundError:
    return NotFoundError("receiver", id, there)


def not_failed(n: int, outcome: str) -> RefusedError:
    return RefusedError(f"the receipt {n} is {outcome}: only one that failed can be redriven or dropped")
