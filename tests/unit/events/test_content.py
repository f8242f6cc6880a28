"""The content hash is stored for ever: what is in it, what is not, and its values."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.unit.events.envelopes import ENVELOPES
from tidings.errors import MalformedError
from tidings.events.content import NOT_CONTENT, content_hash
from tidings.events.envelope import Envelope

JSON = {"datacontenttype": "application/json"}
EVENT = Envelope(
    id="bm-1",
    source="web",
    type="tweet-bookmarked",
    version=2,
    subject="20",
    time="2026-05-04T10:11:12Z",
    attributes={**JSON, "correlationid": "c", "count": -5, "flag": True},
    data=b'{"tweet_id": "20"}',
)


def changed(**fields: Any) -> Envelope:
    return msgspec.structs.replace(EVENT, **fields)


def with_data(data: bytes | None, content_type: str | None = "application/json") -> bytes:
    attributes = {} if content_type is None else {"datacontenttype": content_type}
    return content_hash(Envelope(id="1", source="web", type="t", attributes=attributes, data=data))


def test_the_hash_is_that_of_the_sorted_attributes_and_the_data_for_ever() -> None:
    text = (
        b'{"correlationid":"c","count":"-5","datacontenttype":"application/json","dataversion":"2","flag":"true",'
        b'"id":"bm-1","source":"web","subject":"20","time":"2026-05-04T10:11:12Z","type":"tweet-bookmarked"}'
        b'\n{"tweet_id":"20"}'
    )
    assert content_hash(EVENT) == sha256(text).digest()
    assert content_hash(EVENT).hex() == "9c6325776ad33ff7e34aabacc5965d8e5d1a8bdeddb3cf03822b6e3ca95922b9"


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "bm-2"},
        {"source": "app"},
        {"type": "tweet-unbookmarked"},
        {"version": 1},
        {"subject": None},
        {"subject": "21"},
        {"time": "2026-05-04T10:11:12.0Z"},
        {"time": None},
        {"time_stamped": True},
        {"data": b'{"tweet_id": "21"}'},
        {"data": None},
        {"attributes": {}},
        {"attributes": {**EVENT.attributes, "myext": ""}},
        {"attributes": {**EVENT.attributes, "correlationid": "d"}},
        {"attributes": {**EVENT.attributes, "expirytime": "2027-01-01T00:00:00Z"}},
        {"attributes": {**EVENT.attributes, "dataschema": "urn:x:1"}},
    ],
)
def test_what_the_publisher_gave_is_content(fields: dict[str, Any]) -> None:
    assert content_hash(changed(**fields)) != content_hash(EVENT)


@pytest.mark.parametrize("name", sorted(NOT_CONTENT))
def test_what_changes_on_the_way_is_no_content(name: str) -> None:
    assert content_hash(changed(attributes={**EVENT.attributes, name: "x"})) == content_hash(EVENT)


@given(ENVELOPES)
def test_an_event_has_one_hash_whether_or_not_it_carries_a_trace(envelope: Envelope) -> None:
    traced = msgspec.structs.replace(envelope, attributes={**envelope.attributes, "traceparent": "x"})
    assert content_hash(traced) == content_hash(envelope)


@pytest.mark.parametrize(
    ("fields", "before", "after", "data"),
    [
        ({}, "", "", b""),
        ({"attributes": JSON, "data": b" [ ] "}, '"datacontenttype":"application/json",', "", b"\n[]"),
        ({"subject": "\x7f\u2028é/", "data": b" "}, "", ',"subject":"\x7f\u2028é/"', b"\n "),
        ({"time": "2026-05-04T10:11:12Z"}, "", ',"time":"2026-05-04T10:11:12Z"', b""),
        ({"time": "2026-05-04T10:11:12Z", "time_stamped": True}, "", "", b""),
    ],
)
def test_an_event_with_the_usual_attributes_has_the_same_form(
    fields: dict[str, Any], before: str, after: str, data: bytes
) -> None:
    text = f'{{{before}"dataversion":"1","id":"1","source":"web"{after},"type":"t"}}'
    assert content_hash(Envelope(id="1", source="web", type="t", **fields)) == sha256(text.encode() + data).digest()


def test_what_is_no_content_is_as_specified() -> None:
    deprecation = {"deprecated", "deprecationfrom", "deprecationsunset", "deprecationmigration"}
    assert {"traceparent", "tracestate", "recordedtime", "sequence", *deprecation} == NOT_CONTENT


def test_a_time_that_was_stamped_is_no_content() -> None:
    first = changed(time="2026-01-01T00:00:00Z", time_stamped=True)
    later = changed(time="2027-01-01T00:00:00Z", time_stamped=True)
    assert content_hash(first) == content_hash(later) == content_hash(changed(time=None))


def test_the_order_of_attributes_and_the_kind_of_their_values_say_nothing() -> None:
    as_headers = {"flag": "true", "count": "-5", "correlationid": "c", **JSON}
    assert content_hash(changed(attributes=as_headers)) == content_hash(EVENT)


@pytest.mark.parametrize("space", [b" ", b"\t", b"\n", b"\r\n  "])
def test_white_space_between_the_parts_of_json_says_nothing(space: bytes) -> None:
    spaced = space.join([b"", b"{", b'"a b"', b":", b"[", b"1", b",", b"2", b"]", b"}", b""])
    assert with_data(spaced) == with_data(b'{"a b":[1,2]}')
    assert with_data(spaced, "text/x+JSON; a=b") == with_data(b'{"a b":[1,2]}', "text/x+JSON; a=b")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"1", b"1.0"),
        (b"1e2", b"100"),
        (b"1E2", b"1e2"),
        (b"100000000000000000000", b"100000000000000000001"),
        (b'{"a":1,"b":2}', b'{"b":2,"a":1}'),
        (b'"a b"', b'"a  b"'),
        (b'"a"', b'"\\u0061"'),
        (b'"/"', b'"\\/"'),
        (b"[]", b"null"),
        (b"", None),
    ],
)
def test_numbers_texts_and_the_order_of_members_are_not_rewritten(one: bytes, other: bytes | None) -> None:
    assert with_data(one) != with_data(other)


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonl", None])
def test_white_space_of_other_data_is_content(content_type: str | None) -> None:
    assert with_data(b'{"a": 1}', content_type) != with_data(b'{"a":1}', content_type)


def test_bytes_that_only_claim_to_be_json_are_hashed_as_they_are() -> None:
    assert with_data(b"{ 1 }") != with_data(b"{1}")
    assert with_data(b"\xff") != with_data(b"\xfe")
    with pytest.raises(MalformedError, match="nested too deep"):
        with_data(b"[" * 100_000)


def test_data_cannot_pass_for_an_attribute() -> None:
    head = Envelope(id="1", source="web", type="t")
    assert content_hash(head) != content_hash(msgspec.structs.replace(head, data=b""))


@given(ENVELOPES, ENVELOPES)
def test_the_same_content_has_the_same_hash_and_other_content_another(one: Envelope, other: Envelope) -> None:
    assert content_hash(one) == content_hash(msgspec.structs.replace(one))
    identity = ("id", "source", "type", "version", "subject")
    if any(getattr(one, name) != getattr(other, name) for name in identity):
        assert content_hash(one) != content_hash(other)
