"""The trace that a request belongs to (W3C Trace Context), kept with the events it brings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from tidings.api.answer import Scope
from tidings.api.headers import values
from tidings.events.envelope import Envelope
from tidings.events.trace import PARENT

STATE_CHARACTERS_MAX = 512
NO_TRACE: Mapping[str, str] = MappingProxyType({})


def trace_of(scope: Scope) -> Mapping[str, str]:
    """Return `traceparent` and `tracestate` as attributes; none if there is none that is valid (section 3.2).

    A trace that cannot be read is no reason to refuse an event. `tracestate` is left out beyond 512 characters.
    """
    parents = values(scope, b"traceparent")
    if not parents:
        return NO_TRACE
    found = PARENT.fullmatch(parents[0].decode("latin-1").strip(" \t")) if len(parents) == 1 else None
    if found is None:
        return NO_TRACE
    state = b",".join(value.strip() for value in values(scope, b"tracestate")).decode("latin-1")
    is_kept = 0 < len(state) <= STATE_CHARACTERS_MAX and state.isascii() and state.isprintable()
    return {"traceparent": found[0]} | ({"tracestate": state} if is_kept else {})


def traced(envelope: Envelope, trace: Mapping[str, str]) -> Envelope:
    """Return the envelope with the request's trace, unless its publisher gave it one: the start of a trace stays."""
    if not trace or "traceparent" in envelope.attributes:
        return envelope
    return msgspec.structs.replace(envelope, attributes={**envelope.attributes, **trace})
