"""Envelopes that keep every rule, drawn at random."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tidings.events.codec import Stored, attributes_to_bytes
from tidings.events.envelope import Envelope
from tidings.events.timestamp import time_text

NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
CHARACTERS = st.characters(
    exclude_categories=("Cs", "Cc"), exclude_characters=NONCHARACTERS + "".join(map(chr, range(0xFDD0, 0xFDF0)))
)
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20)
SOURCES = st.sampled_from(["web", "/a/b", "urn:x:1", "https://example.com/%C3%A9?a=b#c", "1-555-123-4567"])
TIMES = st.none() | st.integers(0, 4_000_000_000_000_000).map(time_text) | st.just("2026-05-04T10:11:60+02:00")
OWN = {"id", "source", "type", "dataversion", "subject", "time", "specversion", "data", "datacontenttype", "dataref"}
KNOWN = {
    "dataschema",
    "deprecated",
    "deprecationfrom",
    "deprecationsunset",
    "deprecationmigration",
    "recordedtime",
    "expirytime",
}
NAMES = st.from_regex("[a-z0-9]{1,12}", fullmatch=True).filter(lambda name: name not in OWN | KNOWN)
TEXT_ATTRIBUTES = st.dictionaries(NAMES, TEXTS, max_size=4)
ATTRIBUTES = st.dictionaries(NAMES, TEXTS | st.integers(-(2**31), 2**31 - 1) | st.booleans(), max_size=4)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(CHARACTERS, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=5), inner, max_size=3),
    max_leaves=6,
)
JSON_TEXTS = st.builds(
    lambda value, indent: json.dumps(value, indent=indent).encode(), JSON_VALUES, st.sampled_from([None, 1])
)
CONTENTS = (
    st.tuples(st.sampled_from(["application/json", "text/x+JSON; a=b"]), JSON_TEXTS | st.binary(max_size=10))
    | st.tuples(st.sampled_from(["text/plain", "text/plain; charset=iso-8859-1", "image/png"]), st.binary(max_size=10))
    | st.tuples(st.none(), st.binary(max_size=10))
    | st.tuples(st.none() | st.just("text/plain"), st.none())
)


def _built(fields: dict[str, Any], attributes: dict[str, Any], content: tuple[str | None, bytes | None]) -> Envelope:
    content_type, data = content
    if content_type is not None:
        attributes = {**attributes, "datacontenttype": content_type}
    stamped = fields["time_stamped"] and fields["time"] is not None
    return Envelope(**{**fields, "time_stamped": stamped}, attributes=attributes, data=data)


def envelopes(attributes: st.SearchStrategy[dict[str, Any]], *, stamped: bool = True) -> st.SearchStrategy[Envelope]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "id": TEXTS,
        "source": SOURCES,
        "type": TEXTS,
        "version": st.integers(1, 2**31 - 1),
        "subject": st.none() | TEXTS,
        "time": TIMES,
        "time_stamped": st.booleans() if stamped else st.just(False),
    }
    return st.builds(_built, st.fixed_dictionaries(fields), attributes, CONTENTS)


ENVELOPES = envelopes(ATTRIBUTES)


def row_of(envelope: Envelope) -> Stored:
    return (
        envelope.source,
        envelope.id,
        envelope.type,
        envelope.version,
        envelope.subject,
        attributes_to_bytes(envelope),
        envelope.data,
    )
