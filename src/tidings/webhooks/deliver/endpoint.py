"""An endpoint: where to send what, in which form and how fast. A value that a row or a JSON object can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tidings.webhooks.deliver.health import Health

Format = Literal["cloudevents", "cloudevents-binary", "standard"]
Ordering = Literal["none", "key", "fifo"]
Via = Literal["push", "poll"]

SLOTS = 4
RESERVED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Several events in one request: at most `size` of them and `bytes`; the first waits `linger_ms` for the others."""

    size: int
    bytes: int = 1_048_576
    linger_ms: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """A signature beside ours, as the sender before tidings made it, until the receiver has moved.

    `preset`: in whose scheme. `header`: its name, as it is to be written. `prefix`: what stands before the signature;
    None for what the scheme has there. `secret`: the old one, as the receiver has it; in a row it is sealed.
    """

    preset: str
    header: str
    prefix: str | None = None
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What an operator said of an endpoint, and how it does.

    `via`: `push` if events are posted to `url`, `poll` if they are fetched, which has no URL.
    `pattern`: which events it is sent, as the JSON object that it was given; an empty one: every event. `pin`: the
    `dataversion` of each type. `slots`: deliveries under way at once, `reserved` of them for first attempts. `rate`:
    deliveries a minute; None for any number. `headers`: sent with each request; they may hold secrets, so that they are
    not shown. `legacy`: None but while a receiver moves.
    """

    id: str
    url: str = ""
    via: Via = "push"
    pattern: Mapping[str, Any] = field(default_factory=dict)
    pin: Mapping[str, int] = field(default_factory=dict)
    format: Format = "cloudevents"
    ordering: Ordering = "none"
    slots: int = SLOTS
    reserved: int = RESERVED
    rate: int | None = None
    batch: Batch | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    legacy: Legacy | None = None
    health: Health
