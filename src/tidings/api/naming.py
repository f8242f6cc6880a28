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

_OF_KEYS = UUID("2c9d5a7e-4f0b-5d61-8a1e-7b3c90d2e4f5")  # fixed for ever, too


def named(envelope: Envelope, asked: tuple[str, str] | None, index: int) -> Envelope:
    """Return the envelope with an id: of who asked and under which key, if that is given, else of its content."""
    id = content_id(envelope) if asked is None else keyed_id(*asked, index)
    return msgspec.structs.replace(envelope, id=id)


def content_id(envelope: Envelope) -> str:
    """Return the UUID version 5 (RFC 9562 section 5.5) over source, type, subject and JSON data without whitespace."""
    identity = encode_json([envelope.source, envelope.type, envelope.subject])
    data = b"" if envelope.data is None else b"\n" + msgspec.json.format(envelope.data, indent=-1)
    digest = hashlib.sha1(_NAMESPACE.bytes + identity + data, usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))


def keyed_id(owner: str, key: str, index: int) -> str:
    """Return the UUID version 5 over who asks, under which key, and which event of the request it is."""
    digest = hashlib.sha1(_OF_KEYS.bytes + encode_json([owner, key, index]), usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))


def refuse_unnamed(envelopes: Sequence[Envelope], mode: Mode) -> None:
    """Refuse events without an id: a repeat of the request would be another event."""
    places = [index for index, envelope in enumerate(envelopes) if envelope.id is UNNAMED]
    if not places:
        return
    why = (
        "give the event an id, or send an Idempotency-Key, or ?dedupe=content if events of equal content are the same "
        "event"
    )
    errors = [(f"/{index}/id" if mode == "batch" else "/id", "it is missing") for index in places[:20]]
    raise Refusal(Problem.IDEMPOTENCY_KEY_MISSING, why, errors=errors)
