"""One event, handed in by an operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tidings.events.catalog import Catalog
from tidings.events.envelope import Envelope
from tidings.events.identity import uuid7
from tidings.events.media import JSON
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.versions.retelling import Retelling

_ID_BITS = 74


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An event as it was given. `data`: JSON or empty. None: an id, the declared subject, now, the newest version."""

    type: str
    data: bytes
    source: str
    id: str | None = None
    subject: str | None = None
    time: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where the event stands, and whether it was there before."""

    source: str
    id: str
    position: Position
    outcome: Literal["appended", "duplicate"]


def envelope_of(catalog: Catalog, ports: Ports, given: Given) -> Envelope:
    """Return the envelope as the catalog admits it, with an id: whatever becomes of it, it can be named.

    EnvelopeError, MalformedError, UnknownTypeError, InvalidDataError.
    """
    now = ports.clock.now_us()
    envelope = Envelope(
        id=uuid7(now, ports.random.getrandbits(_ID_BITS)) if given.id is None else given.id,
        source=given.source,
        type=given.type,
        version=catalog.newest(given.type) if given.version is None else given.version,
        subject=given.subject,
        time=given.time,
        attributes={"datacontenttype": JSON},
        data=given.data or None,
    )
    return catalog.admit(envelope, now_us=now)


async def emit_event(log: Log, retelling: Retelling, envelope: Envelope) -> Kept:
    """Append one event; the same (source, id) again, in whichever version, is answered with its old position.

    ConflictError if the id is kept with other content; LogUnavailableError.
    """
    receipt = await retelling.append(log.append, (envelope,))
    outcome: Literal["appended", "duplicate"] = "duplicate" if receipt.outcome == "duplicate" else "appended"
    return Kept(source=envelope.source, id=envelope.id, position=receipt.positions[0], outcome=outcome)
