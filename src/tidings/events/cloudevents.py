"""CloudEvents 1.0 over HTTP, as pure functions between bytes and envelopes: rules B1 to B11.

Readers find out what was sent and refuse what cannot be read (MalformedError) or cannot be an envelope (EnvelopeError);
whether the envelope keeps every rule is for `rules.checked` to say, which the catalog asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from tidings.errors import (
    BatchTooLargeError,
    CallerError,
    EnvelopeError,
    InvalidDataError,
    MalformedError,
    UnsupportedMediaTypeError,
)
from tidings.events.codec import encode_json, pointer
from tidings.events.content import text_of
from tidings.events.envelope import NO_ATTRIBUTES, AttributeValue, Entry, Envelope
from tidings.events.media import JSON, MEDIA_TYPE_MAX, bare, charset_of, is_json
from tidings.events.payload import read_data, write_data
from tidings.events.percent import header_text, header_value
from tidings.events.rules import wrong
from tidings.events.strict import decode_json, unreadable
from tidings.events.timestamp import time_text
from tidings.events.usual import usual_event

SPECVERSION = "1.0"
STRUCTURED_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"
BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 8 * 1024 * 1024

Header = tuple[bytes, bytes]
Mode = Literal["binary", "structured", "batch"]

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,9}")
_FIELDS = ("id", "source", "type", "subject", "time")

# An array read as a record of this many members is refused at the member after them, before the rest is read.
_batch = msgspec.json.Decoder(
    msgspec.defstruct(
        "Batch",
        [(f"event_{n}", msgspec.Raw, msgspec.Raw()) for n in range(BATCH_EVENTS_MAX)],
        array_like=True,
        forbid_unknown_fields=True,
    )
).decode


class Route(NamedTuple):
    """The identity that the path of the request names, so that the event need not say it again."""

    source: str
    id: str


def mode_of(content_type: str | None) -> Mode:
    """Return how the event is sent (B1); UnsupportedMediaTypeError for a format but JSON, and for JSON not in UTF-8."""
    if content_type is None:
        return "binary"
    return _remembered(content_type) if len(content_type) <= MEDIA_TYPE_MAX else _mode_of(content_type)


def _mode_of(content_type: str) -> Mode:
    media_type = bare(content_type)
    mode: Mode = "binary"
    if media_type.startswith("application/cloudevents-batch"):
        mode = "batch"
    elif media_type.startswith("application/cloudevents"):
        mode = "structured"
    if mode != "binary" and media_type not in (BATCH_TYPE, STRUCTURED_TYPE):
        raise UnsupportedMediaTypeError(f"{media_type[:64]} is not read here: send {STRUCTURED_TYPE} or {BATCH_TYPE}")
    if (mode != "binary" or is_json(content_type)) and charset_of(content_type) != "utf-8":
        raise UnsupportedMediaTypeError(f"JSON in {charset_of(content_type)[:64]} is not read here: send UTF-8")
    return mode


_remembered = lru_cache(maxsize=1024)(_mode_of)  # of short texts only: strangers choose what is remembered


def read_binary(
    headers: Iterable[Header], body: bytes, *, route: Route | None = None, unnamed: str | None = None
) -> Envelope:
    """Return the event whose attributes are `ce-` headers and whose data is the body (B2, B4, B6).

    An empty body is no data. `route` stands in for headers that are left out, `unnamed` for an id that is.
    MalformedError; EnvelopeError.
    """
    attributes: dict[str, AttributeValue] = {}
    for raw_name, raw_value in headers:
        name = raw_name.lower()
        if name == b"content-type":
            name = b"ce-datacontenttype"
        elif name == b"ce-datacontenttype":
            raise _malformed("datacontenttype", "the content type is said by Content-Type, not by ce-datacontenttype")
        if name.startswith(b"ce-"):
            _add_header(attributes, name[3:].decode("latin-1"), raw_value.strip(b" \t"))
    if route is None and "specversion" not in attributes:
        raise _malformed("specversion", "there is no ce-specversion header: send `ce-specversion: 1.0`")
    if attributes.pop("specversion", SPECVERSION) != SPECVERSION:
        raise wrong("specversion", f"only {SPECVERSION} is read here")
    return _assembled(attributes, body or None, route=route, unnamed=unnamed)


def read_structured(body: bytes, *, route: Route | None = None, unnamed: str | None = None) -> Envelope:
    """Return the event that one JSON document holds (B5 to B8); `route` and `unnamed` as in `read_binary`.

    MalformedError; EnvelopeError.
    """
    return _read_document(body, route=route, unnamed=unnamed)


def read_batch(body: bytes, *, unnamed: str | None = None) -> tuple[Envelope, ...]:
    """Return the events of a JSON array (B10), none for `[]`; `unnamed` stands in for ids that are left out.

    The first bad event refuses all, with its index in the pointers. MalformedError; EnvelopeError;
    BatchTooLargeError for more than 500 events.
    """
    try:
        slices = msgspec.structs.astuple(_batch(body))
    except msgspec.ValidationError as error:
        if "at most length" in str(error):
            why = f"the batch has more than {BATCH_EVENTS_MAX} events, which is the most there can be: send several"
            raise BatchTooLargeError(why, errors=[("", why)]) from None
        raise EnvelopeError("a batch is one JSON array of events", errors=[("", "expected an array")]) from None
    except (RecursionError, msgspec.DecodeError) as error:
        raise unreadable(body, error) from None
    texts = [text for text in map(bytes, slices) if text]
    return tuple(_of_member(text, index, unnamed) for index, text in enumerate(texts))


def write_binary(envelope: Envelope) -> tuple[list[Header], bytes]:
    """Return headers and body that say the event in binary mode (B2, B3); no data is an empty body."""
    headers = []
    for name, value in _attributes_of(envelope).items():
        if name == "datacontenttype":
            headers.append((b"content-type", text_of(value).encode("ascii")))
        else:
            headers.append((b"ce-" + name.encode("ascii"), header_value(text_of(value))))
    return headers, envelope.data or b""


def write_structured(envelope: Envelope) -> bytes:
    """Return the event as one JSON document; JSON data stands in it as it was received (B9)."""
    return encode_json({**_attributes_of(envelope), **write_data(envelope)})


def write_batch(envelopes: Iterable[Envelope]) -> bytes:
    """Return the events as one JSON array."""
    return b"[" + b",".join(map(write_structured, envelopes)) + b"]"


def shown(entry: Entry) -> Envelope:
    """Return the entry's envelope with what the log knows, unless its publisher said it: `sequence`, `recordedtime`."""
    known = {"sequence": f"{entry.position:020d}", "recordedtime": time_text(entry.recorded)}
    return msgspec.structs.replace(entry.envelope, attributes={**known, **entry.envelope.attributes})


def placed(error: CallerError, mode: Mode, *, index: int | None = None) -> CallerError:
    """Let the pointers of an error about an envelope lead to the same place in the request's body; return the error.

    `index`: which event of a batch it was.
    """
    if mode != "binary" and isinstance(error, InvalidDataError | MalformedError):
        error.errors = _behind("/data", error)
    return error if index is None else _in_batch(error, index)


def _in_batch(error: CallerError, index: int) -> CallerError:
    error.errors = _behind(f"/{index}", error)
    error.args = (f"event {index} of the batch: {error}", *error.args[1:])
    return error


def _behind(prefix: str, error: CallerError) -> tuple[tuple[str, str], ...]:
    return tuple((prefix + pointer, why) for pointer, why in error.errors)


def _add_header(attributes: dict[str, AttributeValue], name: str, value: bytes) -> None:
    if name in attributes:
        raise _malformed(name, "the header is there twice: send each attribute once")
    try:
        text = value.decode("latin-1") if name == "datacontenttype" else header_text(value)
    except MalformedError as error:
        raise _malformed(name, str(error)) from None
    attributes[name] = _typed(name, text)


def _typed(name: str, text: str) -> AttributeValue:
    """Return a header's text as the type of the attribute, where it is known to be another one than String."""
    if name == "dataversion":
        if not _INTEGER.fullmatch(text):
            raise wrong(name, f"expected a whole number, got {text[:64]!r}")
        return int(text)
    if name == "deprecated":
        if text not in ("true", "false"):
            raise wrong(name, f"expected true or false, got {text[:64]!r}")
        return text == "true"
    return text


def _of_member(text: bytes, index: int, unnamed: str | None) -> Envelope:
    try:
        return _read_document(text, unnamed=unnamed)
    except CallerError as error:
        raise _in_batch(error, index) from None


def _read_document(text: bytes, *, route: Route | None = None, unnamed: str | None = None) -> Envelope:
    return usual_event(text) or _of_document(text, route=route, unnamed=unnamed)


def _of_document(text: bytes, *, route: Route | None = None, unnamed: str | None = None) -> Envelope:
    document = decode_json(text, is_event=True)
    if not isinstance(document, dict):
        raise EnvelopeError("an event is one JSON object", errors=[("", "expected an object")])
    attributes: dict[str, AttributeValue] = {}
    for name, value in document.items():
        if value is None or name in ("data", "data_base64"):
            continue
        if isinstance(value, float | list | dict):
            raise wrong(name, "an attribute is a string, a whole number, true or false; put the rest into the data")
        attributes[name] = value
    if attributes.pop("specversion", None) != SPECVERSION:
        raise wrong("specversion", f'expected "{SPECVERSION}"')
    data = read_data(document, text)
    if data is not None and "data" in document:
        # The JSON format takes a document without a content type for one with this; binary mode has to say it.
        attributes.setdefault("datacontenttype", JSON)
    return _assembled(attributes, data, route=route, unnamed=unnamed)


def _assembled(
    attributes: dict[str, AttributeValue], data: bytes | None, *, route: Route | None, unnamed: str | None
) -> Envelope:
    found: dict[str, Any] = dict(zip(("source", "id"), route, strict=True)) if route else {}
    if unnamed is not None:
        found.setdefault("id", unnamed)
    for name in _FIELDS:
        value = attributes.pop(name, None)
        if value is None:
            continue
        if not isinstance(value, str):
            raise wrong(name, "expected a string")
        found[name] = value
    for name in ("id", "source", "type"):
        if name not in found:
            raise wrong(name, "it is missing")
    version = attributes.pop("dataversion", 1)
    if isinstance(version, bool) or not isinstance(version, int):
        raise wrong("dataversion", "expected a whole number")
    return Envelope(version=version, attributes=attributes or NO_ATTRIBUTES, data=data, **found)


def _attributes_of(envelope: Envelope) -> Mapping[str, AttributeValue]:
    given: dict[str, AttributeValue] = {
        "specversion": SPECVERSION,
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "dataversion": envelope.version,
    }
    if envelope.subject is not None:
        given["subject"] = envelope.subject
    if envelope.time is not None:
        given["time"] = envelope.time
    return {**given, **envelope.attributes}


def _malformed(name: str, why: str) -> MalformedError:
    return MalformedError(f"{name[:64]}: {why}", errors=[(pointer(name[:64]), why)])
