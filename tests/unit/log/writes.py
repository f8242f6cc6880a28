"""Writes and envelopes for the tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tidings.events.envelope import Envelope
from tidings.log.driver import NOTHING_EXPECTED, Condition, Position, Write
from tidings.log.flush import Queued


def event(id: str, **fields: Any) -> Envelope:
    return Envelope(**({"id": id, "source": "test", "type": "test.happened"} | fields))


def queued(
    *ids: str,
    subject: str | None = None,
    expected: Mapping[str, Position] = NOTHING_EXPECTED,
    condition: Condition | None = None,
    size: int = 1,
    deadline: float = 10.0,
) -> Queued:
    """A write of these ids as it stands in the queue. Needs a running event loop, for the receipt."""
    envelopes = tuple(event(id, subject=subject) for id in ids)
    identities = frozenset((envelope.source, envelope.id) for envelope in envelopes)
    receipt = asyncio.get_running_loop().create_future()
    return Queued(
        Write(envelopes=envelopes, expected=expected, condition=condition), identities, size, deadline, receipt
    )
