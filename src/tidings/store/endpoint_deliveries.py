"""What is sent to endpoints, entry by entry, and what became of it. Pure values; times: µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import msgspec

from tidings.errors import CheckpointMovedError
from tidings.log.driver import Position
from tidings.store.endpoints import Condition, EndpointRecord

FOLLOWS = "follows-dead"
"""Why one is dead of which no attempt failed: an earlier one of its subject is dead, and their order is kept."""
STALE = "held-too-long"
UNREADABLE = "version-unreadable"
"""Why one is held though its endpoint is not paused: see `EndpointStore.release_unreadable`."""
LOST = "lost"
GONE = "endpoint-removed"
LISTED = "listed"
"""Why one is delivered of which every attempt failed: its receiver lists it."""
COUNTED = 10_000
"""No backlog is counted further."""


class EndpointDelivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry for an endpoint. `run`: '' as it comes from the log, else the replay's id.

    `pin`: the dataversion it is told in; `expires`: not to be sent later. The body is rendered from the log at each
    attempt.
    """

    endpoint: str
    position: Position
    type: str
    subject: str | None = None
    pin: int | None = None
    expires: int | None = None
    run: str = ""

    @property
    def key(self) -> str:
        """What it is found by, among all deliveries."""
        return f"{self.endpoint}:{self.position}:{self.run}" if self.run else f"{self.endpoint}:{self.position}"


class ClaimedEndpointDelivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One whose `attempt` (from 1) was counted and committed before it is sent; `epoch` fences the result.

    `body_hash`: of the first body that was sent. `batch`: None, or the name of those that are sent in one request,
    now and at each retry: no others ever have it, nor they once they are tried anew from attempt 1. Some of them may be
    due without the others.
    """

    delivery: EndpointDelivery
    n: int
    attempt: int
    epoch: int
    body_hash: bytes | None
    batch: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointClaim:
    """What was claimed for an endpoint, and the endpoint as it was then. Those of one `batch` are side by side."""

    endpoint: EndpointRecord
    deliveries: Sequence[ClaimedEndpointDelivery]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claiming:
    """How many requests a dispatcher has room for; `late`: how many of them may be retries.

    `loses`: whether leases of others are looked at first. False by who did so a moment ago.
    """

    owner: str
    limit: int
    late: int
    loses: bool = True

    def without(self, claimed: Sequence[ClaimedEndpointDelivery]) -> Claiming:
        """Return what is left after these were claimed, each a request of its own."""
        late = sum(each.attempt > 1 for each in claimed)
        return replace(self, limit=self.limit - len(claimed), late=self.late - late)


class Result(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an attempt came to.

    `state`: what becomes of the delivery: `due` again at `next_at`, or `held`, with `reason` `version-unreadable`.
    `outcome`: of the attempt, one word; `error`: its text; `answer`: JSON with status, address, headers and body, as
    far as they are kept. `is_spent`: False if the attempt is given back, as if it had not been made: it leaves no row.
    `leaves`: whether it is no member of its batch any more. `condition`: what the endpoint becomes; None: as it is.
    """

    state: Literal["delivered", "due", "dead", "held", "expired", "cancelled"]
    outcome: str
    next_at: int | None = None
    reason: str | None = None
    error: str | None = None
    answer: bytes | None = None
    body_hash: bytes | None = None
    is_spent: bool = True
    leaves: bool = False
    condition: Condition | None = None


Decide: TypeAlias = Callable[[EndpointRecord], Result]
"""Says what became of an attempt, given the endpoint as it is now, locked. It may be asked again: it is pure."""


Ended: TypeAlias = tuple[Sequence[ClaimedEndpointDelivery], Decide]
"""The deliveries of an attempt that has ended, and what says what became of them."""


class Settled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was written: `before` and `after` are the endpoint's."""

    before: EndpointRecord
    after: EndpointRecord
    result: Result


@dataclass(frozen=True, slots=True)
class Ending:
    """Attempts that have ended. `is_told`: whether something is told of how they were settled."""

    ended: Sequence[Ended]
    is_told: Callable[[Sequence[Settled]], bool]


@dataclass(frozen=True, slots=True)
class Turned:
    """What was settled, in the order of what ended, and what was claimed."""

    settled: Sequence[Settled]
    claims: Sequence[EndpointClaim]


class Untold(Exception):
    """What is to be told of attempts is missing in the transaction that settles them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableDelivery:
    """One that is held since no step led to its pin where it was to be sent."""

    n: int
    delivery: EndpointDelivery


class ClosedDelivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One that is sent no more: `state` is delivered, dead, expired or cancelled. `body_hash`, `batch`: as claimed."""

    delivery: EndpointDelivery
    n: int
    state: str
    closed: int
    body_hash: bytes | None
    batch: str | None


@dataclass(frozen=True, slots=True)
class ClosedPage:
    """`at`: the store's time when it was read, by the clock that `closed` is of."""

    deliveries: Sequence[ClosedDelivery]
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Positions after `after` and up to `to`."""

    after: Position
    to: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one chunk did: `count` deliveries; `last`: the position to go on after, None if that was the last chunk."""

    count: int
    last: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is to be sent to an endpoint, and what was given up; each counted no further than `COUNTED`.

    `pending`: due, behind another one, or on its way. `oldest`: when the first of what is pending or held was intended.
    `next_at`: when the first of what is due is to be tried; an endpoint that waits may make it wait longer.
    """

    pending: int = 0
    held: int = 0
    dead: int = 0
    oldest: int | None = None
    next_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many of each were put right by one sweep; `last`: what to begin the next one after."""

    lost: int
    expired: int
    promoted: int
    stale: int
    last: int


def fenced(key: str) -> CheckpointMovedError:
    return CheckpointMovedError(f"the delivery {key} belongs to another owner, or is closed: nothing was written")
