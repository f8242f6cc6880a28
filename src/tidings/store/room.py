"""How many deliveries an endpoint may be sent now: a pure decision over its row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidings.store.endpoints import EndpointRecord, Turn

MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """`slots` at once, `reserved` of them for first attempts; `allowance`: how many its rate allows, None: any."""

    slots: int
    reserved: int
    allowance: int | None


def slots_of(endpoint: EndpointRecord, *, now: int) -> int:
    """Return its slots: one under `fifo` and while it is degraded, half of them while it is slowed."""
    if endpoint.pacing.ordering == "fifo" or endpoint.condition.state == "degraded":
        return 1
    slots = endpoint.pacing.slots
    return max(1, slots // 2) if endpoint.condition.slowed_until > now else slots


def room_of(endpoint: EndpointRecord, *, now: int) -> Room:
    """Return its room. Nothing is reserved where there is one slot, or retries would never have it."""
    slots, tokens = slots_of(endpoint, now=now), tokens_of(endpoint, now=now)
    reserved = 0 if slots == 1 else min(endpoint.pacing.reserved, slots - 1)
    return Room(slots=slots, reserved=reserved, allowance=None if tokens is None else int(tokens))


def tokens_of(endpoint: EndpointRecord, *, now: int) -> float | None:
    """Return what is in its bucket; None: no rate. It holds what a second brings, one at least, and begins full."""
    rate = endpoint.pacing.rate
    if rate is None:
        return None
    most, turn = max(1.0, rate / 60), endpoint.turn
    return min(most, turn.tokens + max(0, now - turn.tokens_at) * rate / MINUTE_US)


def after_taking(endpoint: EndpointRecord, taken: int, *, now: int) -> Turn:
    """Return its turn after so many were claimed."""
    tokens = tokens_of(endpoint, now=now)
    if tokens is None:
        return replace(endpoint.turn, claimed_at=now)
    return Turn(claimed_at=now, tokens=tokens - taken, tokens_at=now)


def next_token(endpoint: EndpointRecord, *, now: int) -> int:
    """Return when its rate allows one more: now at the earliest."""
    tokens, rate = tokens_of(endpoint, now=now), endpoint.pacing.rate
    if tokens is None or rate is None or tokens >= 1:
        return now
    return now + round((1 - tokens) * MINUTE_US / rate) + 1
