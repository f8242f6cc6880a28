"""The trace that an event belongs to (W3C Trace Context, section 3.2)."""

from __future__ import annotations

import re

from tidings.events.envelope import Envelope

PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
"""A valid `traceparent`: its groups are the ids of the trace and of the span."""


def parent_of(envelope: Envelope) -> re.Match[str] | None:
    """Return the event's `traceparent`; None if it has none that is valid: an event may say any text there."""
    return PARENT.fullmatch(str(envelope.attributes.get("traceparent", "")))
