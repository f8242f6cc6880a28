"""How an id is remembered that was taken in. Pure."""

from __future__ import annotations

import hashlib

from tidings.errors import Conflict, ConflictError
from tidings.events.content import content_hash
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Position


def columns_of(envelope: Envelope, secret: bytes) -> tuple[bytes, int]:
    """Return what a row keeps of an id: k of itself, h of its content; both keyed, because third parties choose ids."""
    identity = f"{len(envelope.source)}:{envelope.source}{envelope.id}".encode()
    k = hashlib.blake2b(identity, digest_size=16, key=secret).digest()
    h = hashlib.blake2b(content_hash(envelope), digest_size=8, key=secret).digest()
    return k, int.from_bytes(h, "big", signed=True)


def other_content(entry: Entry, position: Position) -> ConflictError:
    """Return what to raise for an entry whose id was taken in, with other content, from this position."""
    source, id = entry.envelope.source, entry.envelope.id
    return ConflictError(
        f"({source}, {id}) at {entry.position} was taken in before, with other content",
        conflict=Conflict(kind="id", position=position, source=source, id=id),
    )
