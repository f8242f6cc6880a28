"""One test for each rule of the HTTP binding, named after it; what the readers leave open is asked of the catalog."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tidings.errors import (
    BatchTooLargeError,
    CallerError,
    EnvelopeError,
    EnvelopeTooLargeError,
    InvalidDataError,
    MalformedError,
    UnsupportedMediaTypeError,
)
from tidings.events.catalog import Catalog
from tidings.events.cloudevents import (
    BATCH_EVENTS_MAX,
    Route,
    mode_of,
    placed,
    read_batch,
    read_binary,
    read_structured,
    shown,
    write_batch,
    write_binary,
    write_structured,
)
from tidings.events.declaration import event
from tidings.events.envelope import Entry, Envelope
from tidings.events.percent import header_text, header_value
from tidings.events.rules import checked

ROUTE = Route("web", "bm-1")
ALONE = {"specversion": "1.0", "id": "bm-1", "source": "web", "type": "thing-said"}
HEADERS = {"ce-specversion": "1.0", "ce-id": "bm-1", "ce-source": "web", "ce-type": "thing-said"}


@event("thing-said")
class ThingSaid(msgspec.Struct):
    text: str = ""


CATALOG = Catalog([ThingSaid])


def binary(*more: tuple[str, str], body: bytes = b"{}", **named: str) -> Envelope:
    headers = [*HEADERS.items(), *more, *((f"ce-{name}", value) for name, value in named.items())]
    return read_binary([(name.encode(), value.encode("latin-1")) for name, value in headers], body)


def document(**members: Any) -> bytes:
    return json.dumps({**ALONE, **members}).encode()


def structured(**members: Any) -> Envelope:
    return read_structured(document(**members))


def admitted(envelope: Envelope) -> Envelope:
    return CATALOG.admit(envelope, now_us=0)


def pointed(call: Callable[[], object], error: type[CallerError]) -> list[str]:
    with pytest.raises(error) as found:
        call()
    assert type(found.value) is error
    assert str(found.value)
    return [pointer for pointer, _ in found.value.errors]


@pytest.mark.parametrize(
    ("content_type", "mode"),
    [
        (None, "binary"),
        ("", "binary"),
        ("application/json", "binary"),
        ("text/plain; a=application/cloudevents+json", "binary"),
        ("application/cloudevents+json", "structured"),
        ("Application/CloudEvents+JSON; charset=UTF-8", "structured"),
        ("application/cloudevents-batch+json", "batch"),
        ("APPLICATION/cloudevents-batch+json;charset=utf-8", "batch"),
    ],
)
def test_b1_the_mode_follows_from_the_media_type(content_type: str | None, mode: str) -> None:
    assert mode_of(content_type) == mode


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+avro",
        "application/cloudevents",
        "application/cloudevents-batch",
        "application/cloudevents-batch+xml",
        "application/cloudevents-bulk+json",
        "application/cloudevents+json; charset=iso-8859-1",
        "application/cloudevents-batch+json; charset=utf-16",
        'application/json; charset="latin1"',
    ],
)
def test_b1_other_formats_and_charsets_are_not_supported(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match=r"send (UTF-8|application/cloudevents\+json)"):
        mode_of(content_type)


def test_b1_a_byte_order_mark_is_malformed_in_every_mode() -> None:
    mark = b"\xef\xbb\xbf"
    for read in (
        lambda: read_structured(mark + document()),
        lambda: read_batch(mark + b"[]"),
        lambda: admitted(binary(body=mark + b"{}")),
    ):
        with pytest.raises(MalformedError, match="byte order mark"):
            read()


def test_b2_every_ce_header_is_an_attribute_and_content_type_is_datacontenttype() -> None:
    read = binary(("CE-Subject", "20"), ("content-type", "application/json; a=b"), ("Ce-MyExt", "x"), body=b' {"a":1}')
    assert (read.id, read.source, read.type, read.version, read.subject) == ("bm-1", "web", "thing-said", 1, "20")
    assert read.attributes == {"datacontenttype": "application/json; a=b", "myext": "x"}
    assert read.data == b' {"a":1}'


@pytest.mark.parametrize("twice", ["ce-id", "CE-ID", "ce-myext", "Content-Type"])
def test_b2_a_header_twice_is_malformed_and_never_joined(twice: str) -> None:
    more = [("ce-myext", "x"), ("content-type", "application/json"), (twice, "y")]
    assert pointed(lambda: binary(*more), MalformedError) == [
        "/" + twice.lower().removeprefix("ce-").replace("content-type", "datacontenttype")
    ]


def test_b2_ce_datacontenttype_is_malformed_even_if_it_is_equal() -> None:
    both = [("content-type", "application/json"), ("ce-datacontenttype", "application/json")]
    assert pointed(lambda: binary(*both), MalformedError) == ["/datacontenttype"]
    assert pointed(lambda: binary(both[1]), MalformedError) == ["/datacontenttype"]


def test_b2_out_has_one_header_for_each_attribute_and_the_stored_bytes() -> None:
    envelope = Envelope(
        id="1",
        source="/a b",
        type="t",
        version=2,
        subject="é",
        time="2026-01-01T00:00:00+02:00",
        attributes={"datacontenttype": "text/x+json;a=b", "flag": True, "count": -5, "name": "x"},
        data=b" {\n} ",
    )
    headers, body = write_binary(envelope)
    assert body == b" {\n} "
    assert dict(headers) == {
        b"ce-specversion": b"1.0",
        b"ce-id": b"1",
        b"ce-source": b"/a%20b",
        b"ce-type": b"t",
        b"ce-dataversion": b"2",
        b"ce-subject": b"%C3%A9",
        b"ce-time": b"2026-01-01T00:00:00+02:00",
        b"content-type": b"text/x+json;a=b",
        b"ce-flag": b"true",
        b"ce-count": b"-5",
        b"ce-name": b"x",
    }
    assert len(headers) == len(dict(headers))
    assert b"content-type" not in dict(write_binary(Envelope(id="1", source="web", type="t", data=b"x"))[0])


CHECK_VALUE = ("Euro € 😀", b"Euro%20%E2%82%AC%20%F0%9F%98%80")


def test_b3_space_quote_percent_and_all_but_visible_ascii_are_encoded_and_nothing_else() -> None:
    assert header_value(CHECK_VALUE[0]) == CHECK_VALUE[1]
    for character in map(chr, range(0x800)):
        plain = "!" <= character <= "~" and character not in '"%'
        coded = "".join(f"%{byte:02X}" for byte in character.encode())
        assert header_value(character).decode() == (character if plain else coded)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (CHECK_VALUE[1], CHECK_VALUE[0]),
        (CHECK_VALUE[1].lower(), CHECK_VALUE[0].lower()),
        (CHECK_VALUE[0].encode(), CHECK_VALUE[0]),
        (b'"Euro%20%E2%82%AC"', "Euro €"),
        (b'"a \\"b\\" \\\\c%22"', 'a "b" \\c"'),
        (b'"%5C%22"', '\\"'),
        (b'""', ""),
        (b"%61%62c", "abc"),
        (b"a b", "a b"),
        (b'a"b', 'a"b'),
        (b'"a"b"', '"a"b"'),
        (b'"', '"'),
        (b"\\x", "\\x"),
        (b"%2541", "%41"),
        (b"a+b", "a+b"),
    ],
)
def test_b4_a_value_is_unquoted_first_and_then_decoded_exactly_once(value: bytes, text: str) -> None:
    assert header_text(value) == text


@pytest.mark.parametrize("value", [b"%C0%A0", b"%", b"100%", b"%4", b"%4g", b'"%"', b"%u0041", b"\xe9", b"%ED%A0%80"])
def test_b4_what_is_no_utf_8_or_no_percent_coding_is_malformed(value: bytes) -> None:
    headers = [*((name.encode(), text.encode()) for name, text in HEADERS.items()), (b"ce-myext", value)]
    assert pointed(lambda: read_binary(headers, b""), MalformedError) == ["/myext"]


def test_b5_one_object_holds_the_event_and_its_extensions() -> None:
    read = structured(subject="20", dataversion=3, myext="x", flag=False, count=-5, data={"text": "a"})
    assert (read.version, read.subject) == (3, "20")
    assert read.attributes == {"myext": "x", "flag": False, "count": -5, "datacontenttype": "application/json"}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"null"])
def test_b5_anything_but_an_object_is_no_event(body: bytes) -> None:
    assert pointed(lambda: read_structured(body), EnvelopeError) == [""]


def test_b5_a_member_name_twice_is_malformed() -> None:
    with pytest.raises(MalformedError, match="twice"):
        read_structured(document()[:-1] + b',"id":"2"}')


@pytest.mark.parametrize(("name", "value"), [("myext", 1.5), ("myext", [1]), ("myext", {}), ("id", 5), ("time", 5)])
def test_b5_other_numbers_and_containers_are_no_attribute_values(name: str, value: Any) -> None:
    assert pointed(lambda: structured(**{name: value}), EnvelopeError) == ["/" + name]


@pytest.mark.parametrize(("name", "value"), [("myext", 2**31), ("myext", -(2**31) - 1), ("dataversion", 2**31)])
def test_b5_a_number_beyond_32_bits_is_no_attribute_value(name: str, value: int) -> None:
    assert pointed(lambda: admitted(structured(**{name: value})), EnvelopeError) == ["/" + name]
    assert checked(structured(**{name: 2**31 - 1}))


def test_b6_null_is_absent_as_an_attribute_and_present_as_data() -> None:
    assert pointed(lambda: structured(id=None), EnvelopeError) == ["/id"]
    read = structured(subject=None, myext=None, datacontenttype=None, data=None)
    assert (read.subject, read.data) == (None, b"null")
    assert read.attributes == {"datacontenttype": "application/json"}
    assert structured(data_base64=None).data is None
    assert structured().data is None


def test_b6_an_empty_body_is_no_data_and_empty_base64_becomes_none() -> None:
    assert binary(body=b"").data is None
    empty = structured(data_base64="")
    assert empty.data == b""
    headers, body = write_binary(empty)
    assert body == b""
    assert read_binary(headers, body).data is None


@pytest.mark.parametrize("content_type", [None, "application/json", "Text/JSON; a=b", "application/problem+JSON"])
@pytest.mark.parametrize("written", ['"{\\"a\\":1}"', "1.0e5", "[1 , 2]", '{"b":1,"a":100000000000000000000}', "true"])
def test_b7_json_data_is_kept_as_it_was_written(content_type: str | None, written: str) -> None:
    body = document(datacontenttype=content_type)[:-1] + f', "data" : {written} }}'.encode()
    assert read_structured(body).data == written.encode()


def test_b7_data_of_another_type_is_a_string_in_the_charset_of_the_type() -> None:
    assert structured(datacontenttype="text/plain", data="é").data == "é".encode()
    assert structured(datacontenttype="text/plain; charset=iso-8859-1", data="é").data == b"\xe9"
    for value in ({"a": 1}, 5, None, True):
        assert pointed(lambda: structured(datacontenttype="text/xml", data=value), EnvelopeError) == ["/data"]  # noqa: B023
    for charset in ("iso-8859-1", "idna", "nowhere"):
        content_type = f"text/plain; charset={charset}"
        assert pointed(lambda: structured(datacontenttype=content_type, data="€"), EnvelopeError) == ["/data"]  # noqa: B023


def test_b8_base64_is_read_strictly_and_gives_the_data_no_type() -> None:
    read = structured(data_base64="AP8=")
    assert read.data == b"\x00\xff"
    assert read.content_type is None
    assert b"content-type" not in dict(write_binary(read)[0])
    assert json.loads(write_structured(read))["data_base64"] == "AP8="


@pytest.mark.parametrize("coded", ["AP8", "AP8=\n", "AP 8=", "AP9=", "A", "====", "AP-_", "AP8=AP8=", "é", "\u20ac==="])
def test_b8_anything_else_is_malformed(coded: str) -> None:
    assert pointed(lambda: structured(data_base64=coded), MalformedError) == ["/data_base64"]


def test_b8_both_kinds_of_data_are_malformed_and_base64_is_a_string() -> None:
    for coded in ("AP8=", ""):
        assert pointed(lambda: structured(data=None, data_base64=coded), MalformedError) == ["/data_base64"]  # noqa: B023
    assert pointed(lambda: structured(data_base64=5), EnvelopeError) == ["/data_base64"]


def test_b9_an_event_without_content_type_says_json_when_it_is_sent_as_binary() -> None:
    headers, body = write_binary(structured(data={"a": 1}))
    assert dict(headers)[b"content-type"] == b"application/json"
    assert body == b'{"a": 1}'
    assert b"content-type" not in dict(write_binary(structured())[0])


def test_b9_a_json_type_is_sent_as_data_when_the_bytes_are_json_and_else_as_base64() -> None:
    def sent(data: bytes, content_type: str | None = "application/json") -> bytes:
        attributes = {} if content_type is None else {"datacontenttype": content_type}
        return write_structured(Envelope(id="1", source="web", type="t", attributes=attributes, data=data))

    assert b'"data":{"a" : 1.0e5, "b":100000000000000000000}' in sent(b'{"a" : 1.0e5, "b":100000000000000000000}')
    assert b'"data_base64":"e30="' in sent(b"{}", None)
    for broken in (b"{", b"", b"\xff", b'{"a":1,"a":2}', b"NaN"):
        assert b'"data_base64":' in sent(broken)
    assert b'"data":"\xc3\xa9"' in sent(b"\xe9", "text/plain; charset=iso-8859-1")
    assert b'"data_base64":"6Q=="' in sent(b"\xe9", "text/plain")


def test_b10_a_batch_is_an_array_and_may_be_empty() -> None:
    assert read_batch(b" [ ] ") == ()
    assert [each.id for each in read_batch(b"[" + document() + b"," + document(id="2") + b"]")] == ["bm-1", "2"]
    assert write_batch([]) == b"[]"
    for body in (document(), b"5", b'"x"', b"null"):
        assert pointed(lambda: read_batch(body), EnvelopeError) == [""]  # noqa: B023


@pytest.mark.parametrize(
    ("bad", "error", "pointer"),
    [
        (document(source=None), EnvelopeError, "/3/source"),
        (document(data_base64="x"), MalformedError, "/3/data_base64"),
        (document()[:-1] + b',"id":"2"}', MalformedError, "/3"),
        (b"null", EnvelopeError, "/3"),
        (b"[]", EnvelopeError, "/3"),
    ],
)
def test_b10_one_bad_event_refuses_the_batch_and_is_pointed_at(
    bad: bytes, error: type[CallerError], pointer: str
) -> None:
    assert pointed(lambda: read_batch(b"[" + b",".join([document()] * 3 + [bad]) + b"]"), error) == [pointer]


def test_b10_what_the_catalog_finds_is_pointed_at_too() -> None:
    error = InvalidDataError("no", errors=[("/text", "no")])
    assert placed(error, "batch", index=3).errors == (("/3/data/text", "no"),)
    assert str(error) == "event 3 of the batch: no"
    assert placed(EnvelopeError("no", errors=[("/id", "no")]), "batch", index=0).errors == (("/0/id", "no"),)
    assert placed(InvalidDataError("no", errors=[("/text", "no")]), "structured").errors == (("/data/text", "no"),)
    assert placed(InvalidDataError("no", errors=[("/text", "no")]), "binary").errors == (("/text", "no"),)


def test_b10_a_batch_has_at_most_500_events() -> None:
    assert len(read_batch(b"[" + b",".join([document()] * BATCH_EVENTS_MAX) + b"]")) == BATCH_EVENTS_MAX == 500
    with pytest.raises(BatchTooLargeError, match="more than 500 events"):
        read_batch(b"[" + b",".join([document()] * 501) + b"]")


def test_b11_what_cannot_be_parsed_is_told_from_what_breaks_a_rule() -> None:
    assert pointed(lambda: read_structured(b"{"), MalformedError) == [""]
    assert pointed(lambda: structured(specversion="0.3"), EnvelopeError) == ["/specversion"]
    assert pointed(lambda: structured(specversion=1.0), EnvelopeError) == ["/specversion"]
    assert pointed(lambda: read_binary([(b"ce-type", b"t")], b""), MalformedError) == ["/specversion"]
    assert pointed(lambda: read_binary([(b"ce-specversion", b"0.3")], b"", route=ROUTE), EnvelopeError) == [
        "/specversion"
    ]
    assert pointed(lambda: binary(dataversion="one"), EnvelopeError) == ["/dataversion"]
    assert pointed(lambda: binary(dataversion="01"), EnvelopeError) == ["/dataversion"]
    assert pointed(lambda: binary(deprecated="yes"), EnvelopeError) == ["/deprecated"]
    assert pointed(lambda: admitted(structured(data={"text": 5})), InvalidDataError) == ["/text"]
    with pytest.raises(EnvelopeTooLargeError):
        admitted(structured(data={"text": "x" * 300_000}))


@pytest.mark.parametrize("name", ["id", "source", "type"])
def test_b11_a_required_attribute_that_is_missing_is_named(name: str) -> None:
    headers = [(key.encode(), value.encode()) for key, value in HEADERS.items() if key != f"ce-{name}"]
    assert pointed(lambda: read_binary(headers, b""), EnvelopeError) == ["/" + name]
    assert pointed(lambda: structured(**{name: None}), EnvelopeError) == ["/" + name]


def test_b11_the_route_says_what_may_be_left_out_and_what_is_sent_is_kept() -> None:
    read = read_binary([(b"ce-type", b"thing-said")], b"{}", route=ROUTE)
    assert (read.source, read.id) == ROUTE
    assert read_binary([(b"ce-type", b"t"), (b"ce-id", b"other")], b"", route=ROUTE).id == "other"
    body = json.dumps({"specversion": "1.0", "type": "t"}).encode()
    assert (read_structured(body, route=ROUTE).source, read_structured(body, route=ROUTE).id) == ROUTE


def test_a_header_is_a_string_unless_its_attribute_is_known_to_be_another_type() -> None:
    read = binary(dataversion="7", deprecated="true", myext="5", flag="true")
    assert read.version == 7
    assert read.attributes == {"deprecated": True, "myext": "5", "flag": "true"}


def test_an_id_that_is_left_out_is_stood_in_for() -> None:
    body = document(id=None)
    assert read_structured(body, unnamed="?").id == "?"
    assert read_batch(b"[" + body + b"]", unnamed="?")[0].id == "?"
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name != "ce-id"]
    assert read_binary(headers, b"", unnamed="?").id == "?"


def test_an_entry_is_shown_with_its_position_and_when_it_was_recorded() -> None:
    entry = Entry(42, 1_000_000, Envelope(id="1", source="web", type="t", attributes={"myext": "x"}))
    assert shown(entry).attributes == {
        "sequence": "00000000000000000042",
        "recordedtime": "1970-01-01T00:00:01.000000Z",
        "myext": "x",
    }
    given = Entry(42, 0, Envelope(id="1", source="web", type="t", attributes={"sequence": "a", "recordedtime": "b"}))
    assert shown(given).attributes == {"sequence": "a", "recordedtime": "b"}
