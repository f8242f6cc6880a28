"""Dead deliveries, and how dead letters of handlers were given up. Pure values; times: µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidings.log.driver import Position

Mark = tuple[int, int]
"""Where a page ended: when what failed became a dead letter, and the number of its row."""


COUNTED = 10_000
"""Dead letters of a kind are not counted further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadCount:
    """How many dead deliveries there are, those that follow another included, and how many receipts that failed.

    Each is counted no further than `COUNTED`.
    """

    deliveries: int = 0
    receipts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadOf:
    """How many calls of functions are dead, by service, and how many receipts failed, by receiver; none is left out
    but those of whom there are none. Of each kind no more than `COUNTED` are counted."""

    services: Mapping[str, int]
    receivers: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """How an operator gave a handler's dead letter up: when, who did it and why, as the audit keeps them."""

    at: int
    who: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadDelivery:
    """A delivery that no attempt is made at any more, to an endpoint or to a function.

    `closed`: since when. `is_behind`: whether an earlier one of its subject is dead, whose order is kept. `followers`:
    how many of its subject are dead because it is.
    """

    n: int
    key: str
    service: str | None
    function: str | None
    endpoint: str | None
    position: Position | None
    subject: str | None
    type: str | None
    attempts: int
    reason: str | None
    error: str | None
    closed: int
    is_behind: bool
    followers: int

    @property
    def mark(self) -> Mark:
        return self.closed, self.n
