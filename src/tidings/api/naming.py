"""The ids of events that come without one: made from the content, if the caller says that it tells repeats apart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

import msgspec

from tidings.api.problems import Problem, Refusal
from tidings.events.cloudevents import Mode
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope

UNNAMED = "the id follows from the content"
"""Stands in for an id that was left out; told by its identity, since a caller may send the same text."""

_NAMESPACE = UUID("6f1d3c0a-2b8e-5c44-9a53-0d1f7f6b9e21")  # fixed for ever: another would make repeats new events


def named(envelope: Envelope) -> Envelope:
    """Return the envelope with the id that follows from its content."""
    return msgspec.structs.replace(envelope, id=content_id(envelope))


def content_id(envelope: Envelope) -> str:
    """Return the UUID version 5 (RFC 9562 section 5.5) over source, type, subject and JSON data without whitespace."""
    identity = encode_json([envelope.source, envelope.type, envelope.subject])
    data = b"" if envelope.data is None else b"\n" + msgspec.json.format(envelope.data, indent=-1)
    digest = hashlib.sha1(_NAMESPACE.bytes + identity + data, usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))


def refuse_unnamed(envelopes: Sequence[Envelope], mode: Mode) -> None:
    """Refuse events without an id: a repeat of the request would be another event."""
    places = [index for index, envelope in enumerate(envelopes) if envelope.id is UNNAMED]
    if not places:
        return
    why = "give the event an id, or send ?dedupe=content if events of equal content are the same event"
    errors = [(f"/{index}/id" if mode == "batch" else "/id", "it is missing") for index in places[:20]]
    raise Refusal(Problem.IDEMPOTENCY_KEY_MISSING, why, errors=errors)
