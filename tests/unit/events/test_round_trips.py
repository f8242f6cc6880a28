"""What is written in any mode is read as the same event, and no bytes make a reader fail in a way that is not ours."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.events.envelopes import ENVELOPES, TEXT_ATTRIBUTES, envelopes
from tidings.errors import CallerError, EnvelopeError, MalformedError
from tidings.events.catalog import Catalog
from tidings.events.cloudevents import (
    Route,
    mode_of,
    read_batch,
    read_binary,
    read_structured,
    write_batch,
    write_binary,
    write_structured,
)
from tidings.events.content import content_hash
from tidings.events.declaration import event
from tidings.events.envelope import Envelope
from tidings.events.media import charset_of, is_json, is_media_type
from tidings.events.percent import header_text, header_value
from tidings.events.rules import checked
from tidings.events.strict import decode_json
from tidings.events.timestamp import time_us
from tidings.events.uri import is_uri_reference

MIB = 1024 * 1024
HEADERS_MAX = 64 * 1024  # more than servers let through


@event("t", subject="a")
class Told(msgspec.Struct):
    a: str
    b: int | None = None
    c: dict[str, list[Any]] = {}


CATALOG = Catalog([Told])


def as_read(envelope: Envelope) -> Envelope:
    """What any reader has to see: white space around JSON is no part of a document, and a stamped time is a time."""
    data = envelope.data
    if data is not None and envelope.content_type is not None and is_json(envelope.content_type):
        with contextlib.suppress(MalformedError):
            decode_json(data)
            data = data.strip(b" \t\r\n")
    return msgspec.structs.replace(envelope, time_stamped=False, data=data)


def same(read: Envelope, sent: Envelope) -> bool:
    return msgspec.structs.asdict(read) == msgspec.structs.asdict(as_read(sent))


@given(ENVELOPES)
def test_structured_mode_keeps_every_attribute_with_its_type_and_the_data(envelope: Envelope) -> None:
    assert same(read_structured(write_structured(envelope)), envelope)


@given(st.lists(ENVELOPES, max_size=4))
def test_a_batch_keeps_every_event_in_its_place(sent: list[Envelope]) -> None:
    read = read_batch(write_batch(sent))
    assert len(read) == len(sent)
    assert all(map(same, read, sent))


@given(envelopes(TEXT_ATTRIBUTES))
def test_binary_mode_keeps_every_attribute_and_every_byte(envelope: Envelope) -> None:
    headers, body = write_binary(envelope)
    assert body == (envelope.data or b"")
    read = read_binary(headers, body)
    assert read == msgspec.structs.replace(envelope, time_stamped=False, data=envelope.data or None)


@given(ENVELOPES)
def test_an_event_has_the_same_hash_in_every_mode(envelope: Envelope) -> None:
    sent = msgspec.structs.replace(envelope, time_stamped=False, data=envelope.data or None)
    kept = content_hash(checked(sent))
    assert content_hash(read_structured(write_structured(sent))) == kept
    assert content_hash(read_binary(*write_binary(sent))) == kept


@given(st.text(st.characters(exclude_categories=("Cs",))))
@example("Euro € 😀")
@example('"%41"')
def test_any_text_comes_back_from_a_header(text: str) -> None:
    value = header_value(text)
    assert all(0x21 <= byte <= 0x7E and byte != ord('"') for byte in value)
    assert header_text(value) == text


@pytest.mark.parametrize("data", [b"[" * 64 + b"]" * 64, b"[" + b"0," * 49_997 + b"0]"], ids=["deep", "wide"])
def test_data_at_its_limits_is_read_in_every_mode(data: bytes) -> None:
    attributes = {"datacontenttype": "application/json", **{f"e{n}": n for n in range(32)}}
    sent = Envelope(id="1", source="web", type="t", attributes=attributes, data=data)
    assert decode_json(data)
    assert read_structured(write_structured(sent)) == sent
    assert read_batch(write_batch([sent])) == (sent,)
    beyond = (
        data.replace(b"[", b"[[", 1).replace(b"]", b"]]", 1) if data[1:2] == b"[" else b"[" + b"0," * 101 + data[1:]
    )
    for read in (lambda: decode_json(beyond), lambda: read_structured(doc(b'"data":' + beyond))):
        with pytest.raises(MalformedError, match=r"deeper than 64 levels|more than 50,000 values"):
            read()


ATTRIBUTE_NAMES = st.sampled_from(
    ["id", "source", "type", "time", "subject", "data", "data_base64", "datacontenttype", "dataversion", "specversion"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1.0", "t", "e30=", "a/b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
DOCUMENTS = st.dictionaries(ATTRIBUTE_NAMES | st.text(max_size=5), VALUES).map(
    lambda members: json.dumps({"specversion": "1.0", "id": "1", "source": "w", "type": "t", **members}).encode()
)
BODIES = st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")) | DOCUMENTS


def read_and_admit(read: Callable[[], Envelope | tuple[Envelope, ...]]) -> None:
    """Only our errors may come out, and what is let in can be hashed, kept and sent on in every mode."""
    with contextlib.suppress(CallerError):
        found = read()
        for envelope in found if isinstance(found, tuple) else (found,):
            kept = CATALOG.admit(envelope, now_us=0)
            assert content_hash(kept)
            assert checked(read_structured(write_structured(kept)))
            assert checked(read_binary(*write_binary(kept)))


@given(BODIES)
def test_no_document_raises_anything_but_our_errors(body: bytes) -> None:
    read_and_admit(lambda: read_structured(body))
    read_and_admit(lambda: read_structured(body, route=Route("web", "1"), unnamed="x"))


@given(st.lists(BODIES, max_size=3).map(lambda bodies: b"[" + b",".join(bodies) + b"]") | BODIES)
def test_no_batch_raises_anything_but_our_errors(body: bytes) -> None:
    read_and_admit(lambda: read_batch(body))


HEADER_NAMES = st.sampled_from(
    [b"ce-id", b"ce-source", b"ce-type", b"ce-time", b"ce-subject", b"ce-dataversion", b"content-type", b"ce-dataref"]
) | st.binary(max_size=6).map(lambda name: b"ce-" + name)
HEADER_VALUES = st.binary(max_size=40) | st.text(alphabet='%"\\0aAfF;= /', max_size=20).map(str.encode)


@given(st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES)), BODIES)
def test_no_headers_raise_anything_but_our_errors(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    read_and_admit(lambda: read_binary(headers, body, route=Route("web", "1")))
    read_and_admit(lambda: read_binary([(b"ce-specversion", b"1.0"), *headers], body))


@given(st.text() | st.from_regex(r"application/cloudevents(-batch)?[+;a-z =\"]{0,20}", fullmatch=True))
def test_no_content_type_raises_anything_but_our_error(text: str) -> None:
    with contextlib.suppress(CallerError):
        mode_of(text)
    assert is_json(text) in (True, False)
    assert charset_of(text)


def doc(member: bytes) -> bytes:
    return b'{"specversion":"1.0","id":"1","source":"web","type":"t",' + member + b"}"


HUGE = {
    "quotes": b'"' * 8 * MIB,
    "escaped quotes": b'["' + b'\\"' * 4 * MIB + b'"]',
    "colons after quotes in a string": b'["' + b'\\":' * (8 * MIB // 3) + b'"]',
    "white space": b"[" + b" " * 8 * MIB + b"]",
    "white space after a quote": doc(b'"a"' + b" " * 8 * MIB + b":1"),
    "a long id": doc(b'"subject":"' + b"x" * 8 * MIB + b'"'),
    "a long time": doc(b'"time":"2026-01-01T00:00:00.' + b"1" * 8 * MIB + b'Z"'),
    "a long content type": doc(b'"data":5,"datacontenttype":"a/b' + b"; " * 4 * MIB + b'"'),
    "a long name": doc(b'"' + b"x" * 8 * MIB + b'":1'),
    "many attributes": doc(b",".join(b'"a%d":1' % n for n in range(40_000))),
    "much base64": doc(b'"data_base64":"' + b"A" * 8 * MIB + b'"'),
    "only padding": doc(b'"data_base64":"' + b"=" * 8 * MIB + b'"'),
    "full events": b"[" + b",".join([doc(b'"data":"' + b"1" * 16_000 + b'"')] * 500) + b"]",
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_body_is_refused_in_time_that_grows_with_its_size_only(name: str) -> None:
    """Anything quadratic takes hours for 8 MiB, so the suite's timeout tells, however slow the machine is."""
    body = HUGE[name]
    for read in (lambda: read_structured(body), lambda: read_batch(body)):
        read_and_admit(read)
    with pytest.raises(CallerError):
        CATALOG.admit(read_binary([(b"ce-type", b"t")], body, route=Route("web", "1")), now_us=0)


LONG = {
    "empty parameters": "a/b" + "; " * HEADERS_MAX + "=",
    "tabs and spaces": "a/b" + ";\t " * HEADERS_MAX + "\x7f",
    "quoted parameters": "a/b" + ';a="\\""' * HEADERS_MAX + '"',
    "charsets": "application/json" + ";charset" * HEADERS_MAX,
    "percents": "%20" * HEADERS_MAX,
    "colons": ":" * HEADERS_MAX,
    "slashes": "//" * HEADERS_MAX + " ",
    "dots": "2026-01-01T00:00:00." + "0" * HEADERS_MAX,
    "escapes": '"' + '\\"' * HEADERS_MAX,
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_text_is_judged_in_time_that_grows_with_its_size_only(name: str) -> None:
    text = LONG[name]
    for short in (text, text[:200] + text[-1:]):
        assert not is_media_type(short) or is_uri_reference(short) in (True, False)
        assert is_json(short) in (True, False)
        with contextlib.suppress(CallerError):
            header_text(short.encode())
        with contextlib.suppress(EnvelopeError):
            time_us(short)


def test_long_texts_of_strangers_are_not_remembered() -> None:
    tracemalloc.start()
    try:
        for n in range(200):
            time_us(f"2026-01-01T00:00:00.{n:0{MIB // 4}d}Z")
            is_json(f"text/{n:0{MIB // 4}d}")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 5 * MIB
