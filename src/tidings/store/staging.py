"""An envelope as one text, for who stages it by a statement of their own: `SELECT tidings.stage(…)`. Pure."""

from __future__ import annotations

from tidings.events.codec import encode_json, stored_of
from tidings.events.envelope import Envelope

_MEMBERS = ("source", "id", "type", "dataversion", "subject", "attrs", "data")


def staged_text(envelope: Envelope) -> str:
    """Return what `tidings.stage` takes: JSON of a row's columns, bytes in base64."""
    return encode_json(dict(zip(_MEMBERS, stored_of(envelope), strict=True))).decode()
