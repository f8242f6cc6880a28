"""Query parameters, strictly: one that a route does not know is refused, because a misspelt filter is no filter."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from tidings.api.answer import Scope
from tidings.errors import MalformedError

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
_PARAMETERS_MAX = 64
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")

Query = Mapping[str, Sequence[str]]


def read_query(scope: Scope, *, known: Collection[str]) -> Query:
    """Return every parameter with its values, in order; MalformedError for an unknown one or one that is no UTF-8."""
    text: bytes = scope["query_string"]
    query: dict[str, list[str]] = {}
    if not text:
        return query
    parts = text.split(b"&")
    if len(parts) > _PARAMETERS_MAX:
        raise MalformedError(f"the query has more than {_PARAMETERS_MAX} parameters")
    for part in parts:
        name, _, value = part.partition(b"=")
        decoded = _decoded(name)
        if decoded not in known:
            there = ", ".join(sorted(known)) or "none"
            raise MalformedError(f"the query parameter {decoded[:80]!r} is not known here; there is {there}")
        query.setdefault(decoded, []).append(_decoded(value))
    return query


def one(query: Query, name: str) -> str | None:
    """Return the value of a parameter that may stand once."""
    values = query.get(name, ())
    if len(values) > 1:
        raise MalformedError(f"the query parameter {name!r} was given {len(values)} times: give it once")
    return values[0] if values else None


def limit(query: Query) -> int:
    """Return the page size that is asked for."""
    text = one(query, "limit")
    if text is None:
        return LIMIT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LIMIT_MAX):
        raise MalformedError(f"limit: {text[:20]!r} is no number from 1 to {LIMIT_MAX}")
    return int(text)


def _decoded(text: bytes) -> str:
    if b"%" in text and _BROKEN.search(text):
        raise MalformedError(
            f"the query part {text[:80].decode('latin-1')!r} cannot be read: "
            "a % is not followed by two hexadecimal digits"
        )
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise MalformedError(f"the query part {text[:80].decode('latin-1')!r} is not UTF-8") from None
