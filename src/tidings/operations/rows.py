"""Rows of views as JSON, and their values and cursors as texts that people and URLs hold."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from tidings.errors import EnvelopeError, MalformedError
from tidings.events.codec import encode_json
from tidings.events.rules import is_kept
from tidings.events.strict import decode_json
from tidings.events.timestamp import time_text, time_us
from tidings.events.whole import INT64_MAX, is_long
from tidings.store.rows import Column, ColumnKind, Key, Row

_WHOLE = re.compile(r"-?[0-9]{1,19}")


def _integer(text: str) -> int:
    value = int(text) if _WHOLE.fullmatch(text) else INT64_MAX + 1
    if is_long(value):
        raise ValueError("out of range")
    return value


def _real(text: str) -> float:
    value = float(text)
    if math.isnan(value):
        raise ValueError("no column holds it, and engines take it for NULL")
    return value + 0.0


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _blob(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_READ: Mapping[ColumnKind, tuple[Callable[[str], Any], str]] = MappingProxyType(
    {
        "text": (str, "a text"),
        "integer": (_integer, "a whole number of 64 bits"),
        "real": (_real, "a number"),
        "boolean": (_boolean, "true or false"),
        "blob": (_blob, "base64"),
        "time": (time_us, "an RFC 3339 timestamp with an offset"),
        "decimal": (str, "a decimal number"),
    }
)
_SHOW: Mapping[ColumnKind, Callable[[Any], Any]] = MappingProxyType(
    {
        "boolean": bool,
        "blob": lambda value: base64.b64encode(value).decode(),
        "time": time_text,
        "json": lambda value: msgspec.Raw(value.encode()),
    }
)


def row_object(columns: Sequence[Column], row: Row) -> dict[str, Any]:
    """Return a row as a JSON object: times as RFC 3339, bytes as base64, decimals as strings, JSON as it is."""
    shown: dict[str, Any] = {}
    for column, value in zip(columns, row.values, strict=True):
        show = _SHOW.get(column.kind)
        shown[column.name] = value if value is None or show is None else show(value)
    return shown


def read_value(column: Column, text: str) -> Any:
    """Return the stored value that a text in a URL stands for; MalformedError if it cannot be one of this column."""
    if column.kind not in _READ:
        raise MalformedError(f"{column.name} holds JSON, by which rows cannot be found: filter by another column")
    read, wanted = _READ[column.kind]
    try:
        return read(text)
    except (ValueError, KeyError, binascii.Error, EnvelopeError):
        raise MalformedError(f"{column.name}: {text[:80]!r} is not {wanted}") from None


def write_cursor(key: Key) -> str:
    """Return the cursor of the page after the row with this key."""
    plain = [{"b": base64.b64encode(part).decode()} if isinstance(part, bytes) else part for part in key]
    return base64.urlsafe_b64encode(encode_json(plain)).decode().rstrip("=")


def read_cursor(cursor: str, columns: Sequence[Column], key: Sequence[str]) -> Key:
    """Return the key in a cursor; MalformedError if it is none of this view's."""
    kinds = {column.name: column.kind for column in columns}
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        plain = decode_json(base64.b64decode(padded, altchars=b"-_", validate=True))
        parts = tuple(base64.b64decode(part["b"]) if isinstance(part, dict) else part for part in plain)
        fits = len(parts) == len(key) and all(
            type(part) is _KEY_TYPES[kinds[name]] and (not isinstance(part, str) or is_kept(part))
            for part, name in zip(parts, key, strict=True)
        )
    except (ValueError, KeyError, TypeError, MalformedError):
        fits = False
    if not fits:
        raise MalformedError(f"after: {cursor[:80]!r} is no cursor of this view: send the `next` of the page before")
    return parts


_KEY_TYPES: Mapping[ColumnKind, type] = MappingProxyType(
    {"text": str, "integer": int, "boolean": bool, "blob": bytes, "time": int}
)
