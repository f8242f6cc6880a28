"""Targets of outgoing webhooks, with all that a dispatcher knows of them. Times are µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, SupportsBytes, get_args

import msgspec

from tidings.errors import NotFoundError, RefusedError
from tidings.log.driver import Position

EndpointState = Literal["active", "degraded", "paused", "disabled"]
STATES: tuple[EndpointState, ...] = get_args(EndpointState)
SENDING: tuple[EndpointState, ...] = ("active", "degraded")
Ordering = Literal["none", "key", "fifo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """What of an endpoint's configuration a claim needs to know.

    `slots`: how many are on their way at once; `reserved`: how many of these only first attempts may take. `rate`:
    deliveries a minute, None: as many as there are. `batch`: events in one request at most, which wait `linger` µs for
    each other. Under `key` the deliveries of a subject are made one after the other, under `fifo` all of them.
    """

    ordering: Ordering = "none"
    slots: int = 4
    reserved: int = 1
    rate: int | None = None
    batch: int = 1
    linger: int = 0


class Condition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an endpoint fares: written with each result, in its transaction.

    `since`: when the state began. `why`: of one that is not `active`. `health`: JSON, for the dispatcher alone,
    or what is JSON once it is written.
    `not_before`: nothing is claimed earlier, the next probe included. `slowed_until`: half of the slots until then.
    """

    state: EndpointState = "active"
    since: int = 0
    why: str | None = None
    health: SupportsBytes = b""
    not_before: int = 0
    slowed_until: int = 0

    @property
    def is_sending(self) -> bool:
        return self.state in SENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When deliveries were claimed last, and how many more the rate allows. Written by the claim alone."""

    claimed_at: int = 0
    tokens: float = 0.0
    tokens_at: int = 0


_PACING, _CONDITION, _TURN = Pacing(), Condition(), Turn()


class EndpointRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint. `id`: without ':'.

    `config`: JSON, checked by who hands it in; `pacing` is a part of it again. `version` rises with each change of
    `config`, `pacing` or `secrets`: from 1. Entries behind `starts_after` are delivered. `secrets` are opaque.
    """

    id: str
    config: bytes
    starts_after: Position
    created: int
    version: int = 1
    pacing: Pacing = _PACING
    condition: Condition = _CONDITION
    turn: Turn = _TURN
    secrets: bytes = b""


def no_endpoint(id: str, there: Iterable[str] | None = None) -> NotFoundError:
    return NotFoundError("endpoint", id, there)


def wrong_state(id: str, state: str, wanted: str) -> RefusedError:
    return RefusedError(f"the endpoint {id[:100]!r} is {state}: only one that is {wanted} can be changed so")
