"""What tidings itself says of endpoints and deliveries: ordinary events in the log, whose source is `tidings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.events.media import JSON
from tidings.events.timestamp import time_text
from tidings.webhooks.deliver.health import OperationalEvent

SOURCE = "tidings"
TEST = "endpoint.test"
Operational = (
    OperationalEvent | Literal["endpoint.failing", "endpoint.secret-rotated", "endpoint.test", "delivery.exhausted"]
)
TYPES: frozenset[str] = frozenset(
    {
        "endpoint.failing",
        "endpoint.degraded",
        "endpoint.recovered",
        "endpoint.paused",
        "endpoint.resumed",
        "endpoint.disabled",
        "endpoint.secret-rotated",
        TEST,
        "delivery.exhausted",
        "receiver.silent",
        "receiver.rejecting",
        "receiver.conflict",
    }
)
"""They go only to endpoints whose pattern names the type, and raise none when they are delivered."""


def is_operational(envelope: Envelope) -> bool:
    """Say whether tidings itself says this."""
    return envelope.source == SOURCE and envelope.type in TYPES


def said(type: Operational, endpoint: str, *, id: str, now: int, **more: Any) -> Envelope:
    """Return the event about an endpoint. `now`: µs since 1970. `more`: members of its data, those of None left out."""
    data = {"endpoint": endpoint, **{name: value for name, value in more.items() if value is not None}}
    return Envelope(
        id=id,
        source=SOURCE,
        type=type,
        subject=endpoint,
        time=time_text(now),
        time_stamped=True,
        attributes={"datacontenttype": JSON},
        data=encode_json(data),
    )


def tested(envelope: Envelope) -> str | None:
    """Return the id of the endpoint that this event is a test of; None if it is none."""
    if envelope.type != TEST or not is_operational(envelope):
        return None
    try:
        data = msgspec.json.decode(envelope.data or b"null")
    except msgspec.DecodeError:
        return None
    found = data.get("endpoint") if isinstance(data, Mapping) else None
    return found if isinstance(found, str) else None
