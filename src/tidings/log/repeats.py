"""Whether a repeat is the event that is kept: by its content, so that it may be written in another way."""

from __future__ import annotations

from tidings.errors import Conflict
from tidings.events.content import content_hash
from tidings.events.envelope import Envelope
from tidings.log.driver import Position


def difference(given: Envelope, kept: Envelope | None, position: Position) -> Conflict | None:
    """Return the conflict with what is `kept` at this position; None if that has the same content.

    Another order of white space, say, or the trace of a retry. What is no longer kept cannot be compared: a conflict.
    It costs two hashes, so a back end looks first whether both are the same byte for byte.
    """
    kept_hash, given_hash = None if kept is None else content_hash(kept).hex(), content_hash(given).hex()
    if kept_hash == given_hash:
        return None
    return Conflict(
        kind="id",
        position=position,
        source=given.source,
        id=given.id,
        kept_hash=kept_hash,
        given_hash=given_hash,
    )
