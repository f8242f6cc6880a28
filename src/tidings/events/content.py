"""What two envelopes must share to be the same event: the content as its publisher handed it in."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec import UNSET, UnsetType

from tidings.errors import MalformedError
from tidings.events.envelope import AttributeValue, Envelope
from tidings.events.media import is_json

NOT_CONTENT = frozenset(
    {
        "traceparent",
        "tracestate",
        "recordedtime",
        "sequence",
        "deprecated",
        "deprecationfrom",
        "deprecationsunset",
        "deprecationmigration",
    }
)
"""Attributes that change on the way, or from one retry to the next, and say nothing about the event."""

_TEXT_OR_NONE = (str, UnsetType)
_json = msgspec.json.Encoder().encode
_sorted_json = msgspec.json.Encoder(order="deterministic").encode
_compact = msgspec.json.format


def content_hash(envelope: Envelope) -> bytes:
    """Return the SHA-256 (32 bytes) of the content: the attributes by name, then the data.

    Attributes: one compact JSON object, sorted by name, each value in the text it has in an HTTP header, so that the
    event is the same in every mode; without a time that was stamped and without `NOT_CONTENT`. Data, if there is any,
    after a line feed: JSON without insignificant whitespace, else as it is. The hash is stored and compared for ever,
    so it must never change. MalformedError if JSON data is nested too deep to be read.
    """
    head, data = _head_of(envelope), envelope.data
    if data is None:
        return sha256(head).digest()
    content_type = envelope.attributes.get("datacontenttype")
    if isinstance(content_type, str) and is_json(content_type):
        data = _without_whitespace(data)
    return sha256(head + b"\n" + data).digest()


class _Usual(msgspec.Struct, frozen=True, gc=False):
    """The attributes of nearly every event, sorted by name: writing them costs half of sorting a mapping."""

    datacontenttype: str | UnsetType
    dataversion: str
    id: str
    source: str
    subject: str | UnsetType
    time: str | UnsetType
    type: str


def _head_of(envelope: Envelope) -> bytes:
    given = envelope.attributes
    content_type = given.get("datacontenttype", UNSET)
    time = None if envelope.time_stamped else envelope.time
    if len(given) == (content_type is not UNSET) and isinstance(content_type, _TEXT_OR_NONE):
        return _json(
            _Usual(
                content_type,
                str(envelope.version),
                envelope.id,
                envelope.source,
                UNSET if envelope.subject is None else envelope.subject,
                UNSET if time is None else time,
                envelope.type,
            )
        )
    named = {
        "dataversion": str(envelope.version),
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
    }
    if envelope.subject is not None:
        named["subject"] = envelope.subject
    if time is not None:
        named["time"] = time
    for name, value in given.items():
        if name not in NOT_CONTENT:
            named[name] = value if isinstance(value, str) else text_of(value)
    return _sorted_json(named)


def text_of(value: AttributeValue) -> str:
    """Return the text of an attribute's value, as a header holds it: `true`, `-5`, a string as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _without_whitespace(data: bytes) -> bytes:
    try:
        return _compact(data, indent=-1)
    except msgspec.DecodeError:
        return data  # not JSON after all: every byte of it may matter
    except RecursionError:
        raise MalformedError("the data is nested too deep", errors=[("", "it is nested too deep")]) from None
