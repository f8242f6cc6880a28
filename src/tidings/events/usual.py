"""Structured events as nearly everybody sends them, read at a third of the cost: the known attributes, and JSON data.

What is read here is read as `cloudevents` reads any document; whatever is another kind, or could be wrong, is left to
it.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from tidings.errors import MalformedError
from tidings.events.envelope import Envelope
from tidings.events.media import JSON, is_json
from tidings.events.strict import DIGITS_MAX, check_json

_Text = str | UnsetType


class _Event(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The members of an event's document, by their names on the wire."""

    specversion: Literal["1.0"]
    type: str
    source: str
    id: str
    data: msgspec.Raw
    subject: _Text = UNSET
    time: _Text = UNSET
    datacontenttype: _Text = UNSET
    dataversion: int | UnsetType = UNSET


_TEXTS_AT_LEAST = 9  # the names of the members that must be there, and their values, but for the data

_decode = msgspec.json.Decoder(_Event).decode


def usual_event(document: bytes) -> Envelope | None:
    """Return the event of a structured document; None if it is of no usual kind, or may be wrong."""
    try:
        event = _decode(document)
        data = bytes(event.data)
        check_json(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MalformedError):
        return None
    content_type = JSON if event.datacontenttype is UNSET else event.datacontenttype
    is_short = len(document) - len(data) <= DIGITS_MAX
    if not (is_short and (content_type == JSON or is_json(content_type)) and _names_each_once(event, document, data)):
        return None
    return Envelope(
        id=event.id,
        source=event.source,
        type=event.type,
        version=1 if event.dataversion is UNSET else event.dataversion,
        subject=None if event.subject is UNSET else event.subject,
        time=None if event.time is UNSET else event.time,
        attributes={"datacontenttype": content_type},
        data=data,
    )


def _names_each_once(event: _Event, document: bytes, data: bytes) -> bool:
    """Say whether no member stands twice: outside the data, quotes are around names and texts, and nowhere else.

    An escape could hide one in a text, so there must be none.
    """
    texts = _TEXTS_AT_LEAST + (event.dataversion is not UNSET)
    texts += 2 * ((event.subject is not UNSET) + (event.time is not UNSET) + (event.datacontenttype is not UNSET))
    before = len(document) - len(data) - 1
    if document[before:-1] == data:  # it stands last, as nearly always, and what is long need not be counted
        return document.count(b'"', 0, before) == 2 * texts and document.find(b"\\", 0, before) < 0
    written = document.count(b'"') - data.count(b'"')
    return written == 2 * texts and document.count(b"\\") == data.count(b"\\")
