from __future__ import annotations

import dataclasses
import enum
import json
import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pydantic
import pytest

from tidings.errors import (
    CallerError,
    DeclarationError,
    EnvelopeError,
    EnvelopeTooLargeError,
    InvalidDataError,
    MalformedError,
    UnknownTypeError,
)
from tidings.events.catalog import Catalog
from tidings.events.declaration import declared, event
from tidings.events.envelope import Envelope
from tidings.events.timestamp import time_text

NOW = 1_777_888_999_123_456
NOW_TEXT = "2026-05-04T10:03:19.123456Z"


class Line(msgspec.Struct, frozen=True):
    sku: str
    count: int = 1


@event("order-placed", version=1, subject="order_id")
class OrderPlaced:
    order_id: str
    lines: tuple[Line, ...] = ()
    paid: float | None = None


@event("order-placed", version=2, subject="order")
@dataclasses.dataclass(frozen=True)
class OrderPlaced2:
    order: int
    notes: list[str] = dataclasses.field(default_factory=list)


@event("order-shipped", subject="order_id")
class OrderShipped(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str
    sent_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


@event("order-paid", subject="order_id")
class OrderPaid(pydantic.BaseModel):
    order_id: str = pydantic.Field(alias="orderId", max_length=20)
    amount: float = 0.0
    address: dict[str, list[int]] = {}


@event("day-ended")
class DayEnded:
    note: str = ""


CLASSES = (OrderPlaced, OrderPlaced2, OrderShipped, OrderPaid, DayEnded)
CATALOG = Catalog(CLASSES)


def sent(type: str, data: bytes | None, **fields: Any) -> Envelope:
    return Envelope(**{"id": "1", "source": "web", "type": type, "data": data, **fields})


def admitted(type: str, data: bytes | None, **fields: Any) -> Envelope:
    return Catalog(CLASSES).admit(sent(type, data, **fields), now_us=NOW)


def refused(error: type[CallerError], type: str, data: bytes | None, **fields: Any) -> CallerError:
    with pytest.raises(error) as found:
        admitted(type, data, **fields)
    return found.value


def made(event: Any, **more: Any) -> Envelope:
    return Catalog(CLASSES).envelope(event, id="1", source="web", now_us=NOW, **more)


def test_it_knows_every_type_and_version() -> None:
    assert CATALOG.types() == (
        ("day-ended", 1),
        ("order-paid", 1),
        ("order-placed", 1),
        ("order-placed", 2),
        ("order-shipped", 1),
    )
    assert CATALOG.known("order-placed", 2).cls is OrderPlaced2
    assert CATALOG.known("order-placed", 1) == declared(OrderPlaced)


def test_one_class_twice_is_the_same_and_two_of_one_type_and_version_are_refused() -> None:
    assert Catalog([DayEnded, DayEnded]).types() == (("day-ended", 1),)

    @event("day-ended")
    class Other:
        pass

    with pytest.raises(DeclarationError, match=r"DayEnded and .*Other are both declared as day-ended version 1: give"):
        Catalog([DayEnded, Other])


def test_a_class_that_was_not_declared_or_cannot_be_read_is_refused() -> None:
    with pytest.raises(DeclarationError, match="Line is not declared as an event"):
        Catalog([Line])

    @event("thing-said")
    class Bad(msgspec.Struct):
        a: int | str | Line | OrderShipped

    with pytest.raises(DeclarationError, match="Bad cannot be read from JSON"):
        Catalog([Bad])


@pytest.mark.parametrize(
    ("value", "type", "version", "subject", "data"),
    [
        (
            OrderPlaced("7", (Line("a"),), 1.5),
            "order-placed",
            1,
            "7",
            b'{"order_id":"7","lines":[{"sku":"a","count":1}],"paid":1.5}',
        ),
        (OrderPlaced2(7), "order-placed", 2, "7", b'{"order":7,"notes":[]}'),
        (OrderShipped("7"), "order-shipped", 1, "7", b'{"orderId":"7","sentAt":"2026-01-01T00:00:00Z"}'),
        (OrderPaid(orderId="7"), "order-paid", 1, "7", b'{"orderId":"7","amount":0.0,"address":{}}'),
        (DayEnded(), "day-ended", 1, None, b'{"note":""}'),
    ],
)
def test_an_event_of_every_kind_of_class_becomes_an_envelope_and_comes_back(
    value: Any, type: str, version: int, subject: str | None, data: bytes
) -> None:
    envelope = made(value)
    assert envelope == sent(
        type,
        data,
        version=version,
        subject=subject,
        time=NOW_TEXT,
        time_stamped=True,
        attributes={"datacontenttype": "application/json"},
    )
    assert CATALOG.decode(envelope) == value
    assert CATALOG.admit(envelope, now_us=1_800_000_000_000_000) is envelope


def test_an_event_made_here_keeps_the_time_and_the_attributes_it_is_given() -> None:
    envelope = made(DayEnded(), time="2026-01-01T00:00:00+02:00", attributes={"causationid": "0"})
    assert (envelope.time, envelope.time_stamped) == ("2026-01-01T00:00:00+02:00", False)
    assert envelope.attributes == {"causationid": "0", "datacontenttype": "application/json"}
    with pytest.raises(EnvelopeError, match="time: expected an RFC 3339 timestamp"):
        made(DayEnded(), time="yesterday")
    with pytest.raises(EnvelopeError, match="source: "):
        CATALOG.envelope(DayEnded(), id="1", source="a b", now_us=NOW)


def test_what_is_not_of_this_application_is_refused() -> None:
    with pytest.raises(DeclarationError, match="Line is not declared as an event"):
        made(Line("a"))

    @event("day-ended")
    class Twin:
        pass

    with pytest.raises(DeclarationError, match="Twin is not the class that this application knows as day-ended"):
        made(Twin())

    @event("day-began")
    class Stranger:
        pass

    with pytest.raises(UnknownTypeError, match="there is no event type 'day-began'; there is day-ended"):
        made(Stranger())


@pytest.mark.parametrize(
    "value",
    [
        OrderPlaced("7", paid=math.nan),
        OrderPlaced("7", paid=math.inf),
        OrderPaid(orderId="7", amount=math.nan),
        OrderPaid(orderId="7", amount=-math.inf),
    ],
)
def test_a_number_that_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(InvalidDataError, match="holds NaN or Infinity, which JSON cannot say: leave the member out"):
        made(value)


def test_an_event_that_its_readers_would_not_understand_is_refused() -> None:
    with pytest.raises(
        InvalidDataError, match="the data does not fit OrderPlaced: /order_id: expected string, got integer"
    ):
        made(OrderPlaced(7))  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match="cannot be written as JSON"):
        made(OrderPlaced("7", (object(),)))  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match="the data does not fit OrderPaid: /orderId: "):
        made(OrderPaid.model_construct(order_id=5))  # type: ignore[call-arg]

    @event("thing-said")
    class Open(pydantic.BaseModel, extra="allow"):
        a: int = 1

    with pytest.raises(InvalidDataError, match="Open does not declare more") as found:
        Catalog([Open]).envelope(Open(more=5), id="1", source="web", now_us=NOW)  # type: ignore[call-arg]
    assert found.value.errors == (("/more", "it is not declared"),)


@pytest.mark.parametrize("subject", ["", "x" * 1025, "a\x00b", "\ufffe"])
def test_a_member_that_names_the_subject_is_a_subject(subject: str) -> None:
    for call in (
        lambda: made(OrderPlaced(subject)),
        lambda: admitted("order-placed", json.dumps({"order_id": subject}).encode()),
    ):
        with pytest.raises(InvalidDataError, match="it names the subject, so it needs 1 to 1,024 characters") as found:
            call()
        assert found.value.errors[0][0] == "/order_id"


def test_what_is_admitted_gets_the_subject_its_data_names_and_a_time() -> None:
    envelope = admitted("order-placed", b'{"order": 7}', version=2)
    assert (envelope.subject, envelope.time, envelope.time_stamped) == ("7", NOW_TEXT, True)
    assert envelope.data == b'{"order": 7}'
    given = sent("order-placed", b'{"order":7}', version=2, subject="7", time="2026-01-01T00:00:00Z")
    assert CATALOG.admit(given, now_us=NOW) is given
    assert admitted("day-ended", b"{}", subject="monday").subject == "monday"
    assert admitted("day-ended", b"{}").subject is None


def test_a_subject_is_taken_from_a_member_under_its_name_on_the_wire() -> None:
    assert admitted("order-shipped", b'{"orderId":"7"}').subject == "7"
    assert admitted("order-paid", b'{"orderId":"7"}').subject == "7"
    assert refused(InvalidDataError, "order-paid", b'{"order_id":"7"}').errors[0][0] == "/orderId"


def test_another_subject_than_the_data_names_is_refused() -> None:
    error = refused(EnvelopeError, "order-placed", b'{"order_id":"7"}', subject="8")
    assert str(error) == "subject: it is '8', but the data's order_id is '7'"
    assert error.errors[0][0] == "/subject"


def test_a_type_that_is_not_known_is_told_with_what_is_near() -> None:
    error = refused(UnknownTypeError, "order-place", b"{}")
    assert str(error).startswith("there is no event type 'order-place'; there is ")
    assert error.errors[0][0] == "/type"
    assert "there is day-ended, order-paid, order-placed, order-shipped" in str(refused(UnknownTypeError, "zz", b"{}"))
    with pytest.raises(UnknownTypeError, match="there is none"):
        Catalog([]).known("zz", 1)


def test_a_version_that_is_not_known_is_told_with_those_that_are() -> None:
    error = refused(UnknownTypeError, "order-placed", b"{}", version=3)
    assert str(error) == "there is no version '3' of order-placed; there is 1, 2"
    assert error.errors[0][0] == "/dataversion"


@pytest.mark.parametrize(
    ("type", "data", "pointer"),
    [
        ("order-placed", b"{}", "/order_id"),
        ("order-placed", b"[]", ""),
        ("order-placed", b'{"order_id":7}', "/order_id"),
        ("order-placed", b'{"order_id":"7","lines":[{"sku":"a"},{"sku":null}]}', "/lines/1/sku"),
        ("order-shipped", b'{"orderId":"7","sentAt":"yesterday"}', "/sentAt"),
        ("order-paid", b'{"orderId":"7","address":{"a/b":[1,"x"]}}', "/address/a~1b/1"),
        ("order-paid", b'{"orderId":"012345678901234567890"}', "/orderId"),
        ("order-placed", None, "/order_id"),
        ("order-paid", None, "/orderId"),
    ],
)
def test_data_that_does_not_fit_is_refused_with_the_pointer_of_the_member(
    type: str, data: bytes | None, pointer: str
) -> None:
    error = refused(InvalidDataError, type, data)
    assert error.errors[0][0] == pointer
    assert error.errors[0][1] in str(error)
    assert ("there is no data" in str(error)) is (data is None)


def test_an_event_whose_members_can_all_be_left_out_needs_no_data() -> None:
    assert admitted("day-ended", None).data is None
    assert CATALOG.decode(sent("day-ended", None)) == DayEnded()


def test_unknown_members_are_kept_in_the_data_and_ignored_in_the_event() -> None:
    envelope = admitted("day-ended", b'{"note":"x", "more":[1]}')
    assert envelope.data == b'{"note":"x", "more":[1]}'
    assert CATALOG.decode(envelope) == DayEnded("x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'{"note":"\xff"}',
        b'\xef\xbb\xbf{"note":""}',
        b'{"note":NaN}',
        b'{"x":NaN}',
        b'{"x":Infinity}',
        b'{"note":"a","note":"a"}',
        b'{"x":{"a":1,"a":1}}',
        b'{"x":' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"x":' + b"[" * 100_000,
        b'{"x":' + b"9" * 1_001 + b"}",
        b'{"x":1e999}',
        b'{"x":[' + b"0," * 50_000 + b"0]}",
        b'{"x":"\\ud800"}',
    ],
)
def test_what_is_no_sound_json_is_malformed_even_in_members_nobody_reads(data: bytes) -> None:
    assert type(refused(MalformedError, "day-ended", data)) is MalformedError


def test_data_of_another_type_than_json_is_refused_whatever_it_holds() -> None:
    error = refused(InvalidDataError, "day-ended", b"{}", attributes={"datacontenttype": "text/plain"})
    assert str(error) == "day-ended is read as JSON, not as text/plain: send application/json"
    for content_type in ("Application/JSON; a=b", "application/vnd.day+json"):
        assert admitted("day-ended", b"{}", attributes={"datacontenttype": content_type})


def test_the_limit_of_the_data_is_that_of_the_catalog() -> None:
    small = Catalog([DayEnded], data_bytes_max=20)
    fits = sent("day-ended", b'{"note":"123456789"}')
    assert small.admit(fits, now_us=0).data == fits.data
    for call in (
        lambda: small.admit(sent("day-ended", b'{"note":"1234567890"}'), now_us=0),
        lambda: small.envelope(DayEnded("1234567890"), id="1", source="web", now_us=0),
    ):
        with pytest.raises(EnvelopeTooLargeError, match="21 bytes of data are more than the limit of 20"):
            call()
    assert len(json.dumps({"note": "x" * 262_000})) < 262_144
    assert admitted("day-ended", json.dumps({"note": "x" * 262_000}).encode())


@pytest.mark.parametrize("filler", [b"0,", b'"a",', b"{},", b"[],", b'"\\u0061",'])
def test_64_kib_are_accepted_whatever_they_hold_and_whatever_is_set(filler: bytes) -> None:
    data = b'{"note":"","more":[' + filler * ((65_536 - 30) // len(filler)) + b"0]}"
    envelope = sent("day-ended", data + b" " * (65_536 - len(data)))
    assert Catalog([DayEnded], data_bytes_max=65_536).admit(envelope, now_us=0).data == envelope.data


class Colour(enum.Enum):
    RED = "red"


@event("thing-painted")
class Painted(msgspec.Struct):
    colour: Colour


def test_a_refusal_does_not_send_back_all_that_was_sent() -> None:
    with pytest.raises(InvalidDataError) as found:
        Catalog([Painted]).admit(sent("thing-painted", b'{"colour":"' + b"x" * 200_000 + b'"}'), now_us=0)
    assert found.value.errors[0][0] == "/colour"
    assert len(str(found.value)) < 1_000
    assert len(str(refused(UnknownTypeError, "x" * 255, b"{}"))) < 1_000


@pytest.mark.parametrize(
    ("type", "version", "required", "members"),
    [
        ("order-placed", 1, ["order_id"], {"order_id", "lines", "paid"}),
        ("order-placed", 2, ["order"], {"order", "notes"}),
        ("order-shipped", 1, ["orderId"], {"orderId", "sentAt"}),
        ("order-paid", 1, ["orderId"], {"orderId", "amount", "address"}),
        ("day-ended", 1, [], {"note"}),
    ],
)
def test_every_kind_of_class_has_a_json_schema(type: str, version: int, required: list[str], members: set[str]) -> None:
    schema = CATALOG.json_schema(type, version)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    assert schema["type"] == "object"
    assert schema.get("required", []) == required
    assert set(schema["properties"]) == members


def test_references_in_a_schema_lead_into_the_schema() -> None:
    schema = CATALOG.json_schema("order-placed", 1)
    assert schema["$defs"]["OrderPlaced"]["properties"]["lines"]["items"] == {"$ref": "#/$defs/Line"}
    assert schema["$defs"]["Line"]["required"] == ["sku"]
    with pytest.raises(UnknownTypeError):
        CATALOG.json_schema("order-placed", 3)


def test_a_schema_says_what_is_read_and_asks_for_nothing_that_may_be_left_out() -> None:
    @event("thing-said")
    class Said(pydantic.BaseModel):
        text: str = ""

        @pydantic.computed_field  # type: ignore[prop-decorator]
        @property
        def size(self) -> int:
            return len(self.text)

    @event("thing-held")
    class Held(msgspec.Struct):
        thing: object = None

    catalog = Catalog([Said, Held])
    assert "required" not in catalog.json_schema("thing-said", 1)
    thing = catalog.json_schema("thing-held", 1)["$defs"]["Held"]["properties"]["thing"]
    assert thing == {"description": "any value", "default": None}


def test_a_time_that_is_stamped_is_later_than_those_before_though_the_clock_went_back() -> None:
    catalog = Catalog(CLASSES)
    times = [
        catalog.admit(sent("day-ended", b"{}", time=None), now_us=now).time
        for now in (NOW, NOW, NOW - 5_000_000, NOW + 9)
    ]
    assert times == [time_text(NOW), time_text(NOW + 1), time_text(NOW + 2), time_text(NOW + 9)]
