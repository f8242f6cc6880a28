"""Data inside a JSON document: rules B7, B8 and B9, after CloudEvents' JSON format 3.1."""

from __future__ import annotations

import binascii
import contextlib
from base64 import b64encode
from typing import Any

import msgspec

from tidings.errors import EnvelopeError, MalformedError
from tidings.events.envelope import Envelope
from tidings.events.media import can_be_text, charset_of, is_json
from tidings.events.strict import decode_json


class _Slices(msgspec.Struct):
    """What of a document is kept as it was written."""

    data: msgspec.Raw = msgspec.Raw()


_slices = msgspec.json.Decoder(_Slices).decode


def read_data(document: dict[str, Any], text: bytes) -> bytes | None:
    """Return the bytes of a document's data, None if it has none; `text` is the document as it was received.

    JSON data are the bytes as written. MalformedError for broken base64, or for `data` and `data_base64` together;
    EnvelopeError if the data is not what `datacontenttype` says.
    """
    coded = document.get("data_base64")
    if "data" not in document:
        return None if coded is None else _from_base64(coded)
    if coded is not None:
        raise _malformed("data_base64", "there is `data` and `data_base64`: send one of them")
    content_type = document.get("datacontenttype")
    if content_type is None or (isinstance(content_type, str) and is_json(content_type)):
        return bytes(_slices(text).data)
    return _from_text(document["data"], str(content_type))


def write_data(envelope: Envelope) -> dict[str, Any]:
    """Return the member that holds the envelope's data in a document: none, `data` or `data_base64`.

    JSON is embedded as it is, other text as a string, all else as base64.
    """
    data, content_type = envelope.data, envelope.content_type
    if data is None:
        return {}
    if content_type is not None:
        if is_json(content_type):
            if _is_sound(data):
                return {"data": msgspec.Raw(data)}
        elif (text := _as_text(data, content_type)) is not None:
            return {"data": text}
    return {"data_base64": b64encode(data).decode("ascii")}


def _from_base64(coded: Any) -> bytes:
    if not isinstance(coded, str):
        raise EnvelopeError("data_base64 must be a string", errors=[("/data_base64", "expected a string")])
    try:
        data = binascii.a2b_base64(coded, strict_mode=True)
    except ValueError:
        data = b""
    if b64encode(data) != coded.encode(errors="replace"):  # also refuses padding bits that are not zero
        raise _malformed("data_base64", "this is no base64 with padding (RFC 4648 section 4)")
    return data


def _from_text(value: Any, content_type: str) -> bytes:
    if not isinstance(value, str):
        why = f"{content_type[:64]} is no JSON type, so the data must be a string, or base64 in `data_base64`"
        raise EnvelopeError(f"data: {why}", errors=[("/data", why)])
    if can_be_text(content_type):
        with contextlib.suppress(UnicodeEncodeError):
            return value.encode(charset_of(content_type))
    why = f"it cannot be written as {content_type[:64]}: send it in `data_base64`"
    raise EnvelopeError(f"data: {why}", errors=[("/data", why)])


def _is_sound(data: bytes) -> bool:
    try:
        decode_json(data)
    except MalformedError:
        return False
    return True


def _as_text(data: bytes, content_type: str) -> str | None:
    """Return the data as text that turns into the same bytes again; None if it cannot."""
    if not can_be_text(content_type):
        return None
    charset = charset_of(content_type)
    try:
        text = data.decode(charset)
        return text if text.encode(charset) == data else None
    except UnicodeError:
        return None


def _malformed(name: str, why: str) -> MalformedError:
    return MalformedError(f"{name}: {why}", errors=[("/" + name, why)])
