"""An envelope as patterns see it."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from tidings.errors import InvalidDataError
from tidings.events.envelope import Envelope
from tidings.events.media import is_json
from tidings.events.patterns.filling import filled
from tidings.events.patterns.pattern import Pattern

_exact = msgspec.json.Decoder(float_hook=Decimal).decode


def document_of(envelope: Envelope, *, with_data: bool = True) -> dict[str, Any]:
    """Return {id, source, type, dataversion, subject, time, extensions, data}: what is absent is left out.

    `data` is there if it is JSON; its numbers are exact. `with_data`: False where no pattern looks into it.
    """
    found: dict[str, Any] = {
        **envelope.attributes,
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "dataversion": envelope.version,
    }
    if envelope.subject is not None:
        found["subject"] = envelope.subject
    if envelope.time is not None:
        found["time"] = envelope.time
    if with_data and envelope.data is not None and _is_json(envelope):
        try:
            found["data"] = _exact(envelope.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return found
    return found


def wants(pattern: Pattern, envelope: Envelope) -> bool:
    """Say whether the pattern matches the envelope as it is given: a pattern that looks into data sees that version."""
    return pattern.matches(document_of(envelope, with_data=pattern.reads_data))


def wants_as(pattern: Pattern, envelope: Envelope, event: Any) -> bool:
    """As `wants`; what its data leaves out stands there as `event` has it, the instance that was read from it."""
    if not pattern.reads_data:
        return wants(pattern, envelope)
    document = document_of(envelope)
    with suppress(InvalidDataError):  # a class may hold what it cannot write
        document["data"] = filled(document.get("data", {}), event)
    return pattern.matches(document)


def _is_json(envelope: Envelope) -> bool:
    return envelope.content_type is None or is_json(envelope.content_type)
