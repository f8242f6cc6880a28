"""What two envelopes must share to be the same event: the content as its publisher handed it in."""

from __future__ import annotations

from hashlib import sha256

import msgspec

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

_sorted_json = msgspec.json.Encoder(order="deterministic").encode
_compact = msgspec.json.format


def content_hash(envelope: Envelope) -> bytes:
    """Return the SHA-256 (32 bytes) of the content: the attributes by name, then the data.

    Attributes: one compact JSON object, sorted by name, each value in the text it has in an HTTP header, so that the
    event is the same in every mode; without a time that was stamped and without `NOT_CONTENT`. Data, if there is any,
    after a line feed: JSON without insignificant whitespace, else as it is. The hash is stored and compared for ever,
    so it must never change. MalformedError if JSON data is nested too deep to be read.
    """
    attributes = {
        "dataversion": str(envelope.version),
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
    }
    if envelope.subject is not None:
        attributes["subject"] = envelope.subject
    if envelope.time is not None and not envelope.time_stamped:
        attributes["time"] = envelope.time
    for name, value in envelope.attributes.items():
        if name not in NOT_CONTENT:
            attributes[name] = value if isinstance(value, str) else text_of(value)
    head = _sorted_json(attributes)
    data = envelope.data
    if data is None:
        return sha256(head).digest()
    content_type = envelope.attributes.get("datacontenttype")
    if isinstance(content_type, str) and is_json(content_type):
        data = _without_whitespace(data)
    return sha256(head + b"\n" + data).digest()


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
