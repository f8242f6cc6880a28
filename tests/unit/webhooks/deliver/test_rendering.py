from __future__ import annotations

import hashlib
import json
import time

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from tidings.events import cloudevents
from tidings.events.envelope import Entry, Envelope
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.endpoint import Batch, Endpoint, Format
from tidings.webhooks.deliver.headers import is_reserved
from tidings.webhooks.deliver.rendering import Attempt, batch_of, content_of, fitting, request_of
from tidings.webhooks.deliver.secrets import Secret

AT = 1_800_000_000_123_456
SECRET = Secret("hmac", bytes(range(32)))
EVENT = Envelope(
    id="order-7",
    source="/orders",
    type="order.placed",
    version=2,
    subject="7",
    time="2026-05-04T10:11:12.5Z",
    attributes={"datacontenttype": "application/json", "note": "Euro € 😀"},
    data=b'{"total": 1.10}',
)
ENTRY = Entry(position=42, recorded=AT, envelope=EVENT)
FORMATS: list[Format] = ["cloudevents", "cloudevents-binary", "standard"]


def made(**members: object) -> Endpoint:
    return Endpoint(id="ep_1", url="https://example.com/hooks", health=health.new(0), **members)  # type: ignore[arg-type]


def attempt(number: int = 3) -> Attempt:
    return Attempt(id="msg_1", number=number, at=AT)


def test_cloudevents_is_the_structured_mode() -> None:
    content = content_of(ENTRY, "cloudevents")
    assert dict(content.headers) == {"content-type": "application/cloudevents+json"}
    assert json.loads(content.body) == {
        "specversion": "1.0", "id": "order-7", "source": "/orders", "type": "order.placed", "dataversion": 2,
        "subject": "7", "time": "2026-05-04T10:11:12.5Z", "datacontenttype": "application/json",
        "note": "Euro € 😀", "sequence": "00000000000000000042", "recordedtime": "2027-01-15T08:00:00.123456Z",
        "data": {"total": 1.1},
    }  # fmt: skip
    assert b'"data":{"total": 1.10}' in content.body


def test_binary_has_the_attributes_as_headers_and_the_stored_bytes_as_its_body() -> None:
    content = content_of(ENTRY, "cloudevents-binary")
    assert content.body == EVENT.data
    headers = dict(content.headers)
    assert headers["content-type"] == "application/json"
    assert headers["ce-id"] == "order-7"
    assert headers["ce-dataversion"] == "2"
    assert headers["ce-note"] == "Euro%20%E2%82%AC%20%F0%9F%98%80"
    assert "ce-datacontenttype" not in headers


def test_standard_is_type_timestamp_and_data() -> None:
    content = content_of(ENTRY, "standard")
    assert dict(content.headers) == {"content-type": "application/json"}
    assert content.body == b'{"type":"order.placed","timestamp":"2026-05-04T10:11:12.5Z","data":{"total": 1.10}}'


@pytest.mark.parametrize(
    ("attributes", "data", "expected"),
    [
        ({}, None, {"data": None}),
        ({"datacontenttype": "text/plain"}, b"hello", {"data": "hello"}),
        ({"datacontenttype": "image/png"}, b"\x89\x00", {"data_base64": "iQA="}),
        ({"datacontenttype": "application/json"}, b"null", {"data": None}),
        ({}, b"\xff", {"data_base64": "/w=="}),
    ],
)
def test_standard_says_any_data(attributes: dict[str, str], data: bytes | None, expected: dict[str, object]) -> None:
    entry = Entry(
        position=1, recorded=AT, envelope=Envelope(id="1", source="/s", type="t", attributes=attributes, data=data)
    )
    assert json.loads(content_of(entry, "standard").body) == {
        "type": "t",
        "timestamp": "2027-01-15T08:00:00.123456Z",
        **expected,
    }


def test_a_batch_is_an_array_of_events() -> None:
    other = Entry(position=43, recorded=AT, envelope=Envelope(id="2", source="/s", type="t"))
    content = batch_of([ENTRY, other])
    assert dict(content.headers) == {"content-type": "application/cloudevents-batch+json"}
    assert [each.id for each in cloudevents.read_batch(content.body)] == ["order-7", "2"]


def test_a_batch_ends_before_it_is_too_large() -> None:
    entries = [
        Entry(position=n, recorded=AT, envelope=Envelope(id=str(n), source="/s", type="t", data=b"x" * size))
        for n, size in enumerate([40_000, 40_000, 40_000, 1])
    ]
    assert fitting(entries, Batch(size=500).bytes) == 4
    assert fitting(entries, 120_000) == 2
    assert fitting(entries, 10) == 1
    for most in (60_000, 110_000, 163_000, 170_000):
        count = fitting(entries, most)
        assert len(batch_of(entries[:count]).body) <= most
        assert count == len(entries) or len(batch_of(entries[: count + 1]).body) > most


def test_a_request_has_all_headers_of_an_attempt() -> None:
    content = content_of(ENTRY, "cloudevents")
    request = request_of(made(headers={"X-Own": "1"}), content, attempt(), [SECRET], release="0.1.0")
    headers = dict(request.headers)
    assert len(headers) == len(request.headers)
    assert (request.url, request.body) == ("https://example.com/hooks", content.body)
    assert headers.keys() == {
        "X-Own", "content-type", "webhook-id", "webhook-timestamp", "webhook-signature", "user-agent",
        "idempotency-key", "tidings-attempt",
    }  # fmt: skip
    assert headers["webhook-timestamp"] == "1800000000"
    assert headers["idempotency-key"] == '"msg_1"'
    assert headers["user-agent"] == "tidings/0.1.0"
    assert (headers["tidings-attempt"], headers["X-Own"]) == ("3", "1")


def test_the_bytes_signed_are_the_bytes_sent() -> None:
    for format in FORMATS:
        request = request_of(
            made(format=format),
            content_of(ENTRY, format),
            Attempt(id="msg_1", number=1, at=time.time_ns() // 1_000),
            [SECRET],
            release="0.1.0",
        )
        key = SECRET.text.removeprefix("whsec_")
        assert standardwebhooks.Webhook(key).verify(request.body, dict(request.headers))


def test_a_trace_is_sent_on() -> None:
    traced = Attempt(id="msg_1", number=1, at=AT, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    headers = dict(request_of(made(), content_of(ENTRY, "standard"), traced, [SECRET], release="0.1.0").headers)
    assert headers["traceparent"] == traced.traceparent


def test_a_deprecated_version_is_said_to_be_so() -> None:
    marks = {
        "deprecated": True,
        "deprecationfrom": "2026-12-01T00:00:00Z",
        "deprecationsunset": "2027-03-01T00:00:00Z",
        "deprecationmigration": 'https://example.com/v3?a="<b>"',
    }
    entry = Entry(position=1, recorded=AT, envelope=Envelope(id="1", source="/s", type="t", attributes=marks))
    for format in FORMATS:
        headers = dict(content_of(entry, format).headers)
        assert headers["deprecation"] == "@1796083200"
        assert headers["sunset"] == "Mon, 01 Mar 2027 00:00:00 GMT"
        assert headers["link"] == '<https://example.com/v3?a=%22%3Cb%3E%22>; rel="deprecation"'
    marks["deprecated"] = False
    assert [name for name, _ in content_of(entry, "cloudevents").headers] == ["content-type"]


def test_custom_headers_replace_nothing() -> None:
    hostile = dict.fromkeys(["Webhook-Signature", "HOST", "content-length", "Idempotency-Key", "ce-id"], "forged")
    request = request_of(
        made(headers=hostile), content_of(ENTRY, "cloudevents-binary"), attempt(), [SECRET], release="0.1.0"
    )
    assert "forged" not in dict(request.headers).values()


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="no secret"):
        request_of(made(), content_of(ENTRY, "standard"), attempt(), [], release="0.1.0")


def test_a_request_shows_no_secret() -> None:
    request = request_of(
        made(headers={"Authorization": "canary"}), content_of(ENTRY, "standard"), attempt(), [SECRET], release="0.1.0"
    )
    assert "canary" not in repr(request)


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]), min_size=1, max_size=20)
envelopes = st.builds(
    Envelope,
    id=texts,
    source=st.just("/s"),
    type=texts,
    subject=st.none() | texts,
    attributes=st.fixed_dictionaries(
        {},
        optional={
            "note": texts,
            "traceparent": texts,
            "datacontenttype": st.sampled_from(["application/json", "text/plain", "image/png"]),
        },
    ),
    data=st.none() | st.binary(max_size=50) | st.just(b'{"a": [1.0, 2]}'),
)


@given(envelopes, st.integers(1, 10**12), st.sampled_from(FORMATS), st.integers(1, 10))
def test_every_attempt_sends_the_same_body_and_headers_that_no_line_breaks(
    envelope: Envelope, position: int, format: Format, number: int
) -> None:
    entry = Entry(position=position, recorded=AT, envelope=envelope)
    content = content_of(entry, format)
    assert content == content_of(entry, format)
    assert content.hash == hashlib.sha256(content.body).digest()
    request = request_of(made(format=format), content, attempt(number), [SECRET], release="0.1.0")
    for name, value in request.headers:
        assert is_reserved(name)
        assert value.isascii()
        assert value.isprintable()


@given(envelopes)
def test_what_is_sent_is_read_as_what_was_stored(envelope: Envelope) -> None:
    entry = Entry(position=7, recorded=AT, envelope=envelope)
    known = cloudevents.shown(entry)
    binary = content_of(entry, "cloudevents-binary")
    read = cloudevents.read_binary([(n.encode(), v.encode()) for n, v in binary.headers], binary.body)
    assert (read.id, read.type, read.subject) == (known.id, known.type, known.subject)
    assert (read.data or b"", dict(read.attributes)) == (known.data or b"", dict(known.attributes))
    structured = cloudevents.read_structured(content_of(entry, "cloudevents").body)
    assert (structured.id, structured.type, structured.subject) == (known.id, known.type, known.subject)
