"""Which entries a query asks for: the same parameters for a page, a batch and the stream."""

from __future__ import annotations

import re

from tidings.api.answer import Scope
from tidings.api.queries import Query, one
from tidings.api.routing import principal_of
from tidings.errors import EnvelopeError, MalformedError
from tidings.events.filter import Filter
from tidings.events.patterns.grammar import compile_pattern
from tidings.events.timestamp import time_us
from tidings.operations.search import Sought

FILTERS = frozenset({"type", "source", "subject", "version", "correlation", "recorded_from", "recorded_to", "pattern"})
VERSION_MAX = 2**31 - 1
_VERSION = re.compile("[1-9][0-9]{0,9}")


def read_sought(scope: Scope, query: Query) -> Sought:
    """Return what is looked for, of what the caller may see.

    MalformedError for a version or a time that is none; PatternError for a pattern that is none.
    """
    types, pattern = query.get("type"), one(query, "pattern")
    return Sought(
        sources=principal_of(scope).sources,
        where=Filter(
            types=None if types is None else frozenset(types),
            source=one(query, "source"),
            subject=one(query, "subject"),
        ),
        version=_version(query),
        correlation=one(query, "correlation"),
        recorded_from=time_of(query, "recorded_from"),
        recorded_to=time_of(query, "recorded_to"),
        pattern=None if pattern is None else compile_pattern(pattern),
    )


def _version(query: Query) -> int | None:
    text = one(query, "version")
    if text is None:
        return None
    if not _VERSION.fullmatch(text) or int(text) > VERSION_MAX:
        raise MalformedError(f"version: {text[:20]!r} is no whole number from 1 to {VERSION_MAX:,}")
    return int(text)


def time_of(query: Query, name: str) -> int | None:
    """Return a time that is asked for, in µs since 1970; MalformedError for what is none."""
    text = one(query, name)
    if text is None:
        return None
    try:
        return time_us(text)
    except EnvelopeError:
        why = "expected an RFC 3339 timestamp with an offset, such as 2026-05-04T10:11:12Z (+ is written %2B)"
        raise MalformedError(f"{name}: {why}, not {text[:64]!r}") from None
