from __future__ import annotations

import contextlib
import dataclasses
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.events.envelopes import ENVELOPES, row_of
from tidings.errors import DeclarationError, InvalidDataError
from tidings.events.codec import Decoder, attributes_to_bytes, encode_json, envelope_of, has_non_finite, misfit, pointer
from tidings.events.declaration import value_class
from tidings.events.envelope import Envelope


class Line(msgspec.Struct, frozen=True):
    sku: str
    count: int = 1


class Order(msgspec.Struct, frozen=True):
    id: int
    lines: list[Line] = []
    prices: dict[str, int] = {}
    pair: tuple[int, str] = (0, "")


class Model(pydantic.BaseModel):
    id: int
    note: str = pydantic.Field("", alias="the note")
    nested: dict[str, list[int]] = {}


def refusal(cls: Any, data: bytes) -> tuple[tuple[str, str], ...]:
    with pytest.raises(InvalidDataError) as found:
        Decoder(cls).decode(data)
    assert found.value.errors
    pointed, why = found.value.errors[0]
    assert f"{pointed}: {why}" in str(found.value) if pointed else why in str(found.value)
    return found.value.errors


def test_values_are_written_as_compact_json() -> None:
    value = {"a": [1, 2.5, None, True], "b": UUID(int=1), "c": datetime(2026, 1, 1, tzinfo=UTC), "d": Decimal("1.10")}
    assert encode_json(value) == (
        b'{"a":[1,2.5,null,true],"b":"00000000-0000-0000-0000-000000000001","c":"2026-01-01T00:00:00Z","d":"1.10"}'
    )


def test_every_accepted_kind_of_class_is_written_and_read_again() -> None:
    class Plain:
        id: int
        note: str = ""

    @dataclasses.dataclass
    class AsDataclass:
        id: int
        note: str = ""

    plain: Any = value_class(Plain)
    for event in (plain(5, "é"), AsDataclass(5, "é"), Order(5, [Line("a")]), Model(id=5, **{"the note": "é"})):
        assert Decoder(type(event)).decode(encode_json(event)) == event


def test_a_model_inside_of_another_value_is_written_by_its_aliases() -> None:
    assert encode_json([Model(id=1, **{"the note": "x"})]) == b'[{"id":1,"the note":"x","nested":{}}]'


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(
        InvalidDataError, match="this object cannot be written as JSON: a value of type object has no form"
    ):
        encode_json(object())
    with pytest.raises(InvalidDataError, match="this dict cannot be written as JSON"):
        encode_json({"a": "\ud800"})
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidDataError, match="this list cannot be written as JSON"):
        encode_json(loop)


def test_numbers_without_a_form_in_json_are_found_wherever_they_are() -> None:
    nan = float("nan")
    assert has_non_finite([{"a": (1, {"b": nan})}])
    assert has_non_finite(Order(1, pair=(float("-inf"), "")))  # type: ignore[arg-type]
    assert has_non_finite([Model.model_construct(id=nan)])
    assert not has_non_finite([Order(1), Model(id=1), 1.5, None])


@pytest.mark.parametrize(
    ("data", "pointed", "why"),
    [
        (b"{}", "/id", "it is missing"),
        (b'{"id":"x"}', "/id", "expected integer, got string"),
        (b'{"id":1.0}', "/id", "expected integer, got number"),
        (b'{"id":null}', "/id", "expected integer, got null"),
        (b"[]", "", "expected object, got array"),
        (b"null", "", "expected object, got null"),
        (b'{"id":1,"lines":[{"sku":"a"},{"count":2}]}', "/lines/1/sku", "it is missing"),
        (b'{"id":1,"lines":[{"sku":"a","count":"2"}]}', "/lines/0/count", "expected integer, got string"),
        (b'{"id":1,"pair":[1]}', "/pair", "expected array of length 2"),
        (b'{"id":1,"pair":[1,2]}', "/pair/1", "expected string, got integer"),
        (b'{"id":1,"prices":{"a":"b"}}', "/prices", "in one of its values: expected integer, got string"),
        (b'{"id":', "", "input data was truncated"),
        (b'{"id":1,"lines":[{"sku":"\xff"}]}', "", "it is not valid UTF-8"),
    ],
)
def test_data_that_does_not_fit_is_refused_with_the_pointer_of_the_member(data: bytes, pointed: str, why: str) -> None:
    [(found_at, found_why)] = refusal(Order, data)
    assert found_at == pointed
    assert found_why.startswith(why)


def test_a_bad_name_in_a_mapping_points_at_the_mapping() -> None:
    assert refusal(dict[str, dict[int, int]], b'{"a":{"b":1}}')[0][0] == ""
    assert refusal(dict[int, int], b'{"a":1}') == (("", "one of its names: expected integer, got string"),)


def test_a_model_points_at_every_member_that_is_wrong() -> None:
    errors = refusal(Model, b'{"id":"x","nested":{"a/b":[1,"y"]}}')
    assert [pointed for pointed, _ in errors] == ["/id", "/nested/a~1b/1"]
    assert errors[0][1].startswith("input should be a valid integer")
    assert refusal(Model, b"{")[0][0] == ""


def test_what_the_class_itself_refuses_is_refused() -> None:
    @dataclasses.dataclass
    class Picky:
        id: int

        def __post_init__(self) -> None:
            if self.id < 0:
                raise ValueError("negative")
            if self.id == 0:
                raise KeyError("zero")

    assert refusal(Picky, b'{"id":-1}')[0][1] == "negative"
    assert refusal(Picky, b'{"id":0}')[0][1] == "KeyError: 'zero'"


def test_unknown_members_are_ignored_and_left_out_ones_take_their_default() -> None:
    assert Decoder(Order).decode(b'{"id":1,"more":[{}]}') == Order(1)


def test_a_class_that_json_cannot_fill_is_refused_when_it_is_first_used() -> None:
    class Bad(msgspec.Struct):
        a: int | str | Line | Order

    with pytest.raises(DeclarationError, match="Bad cannot be read from JSON"):
        Decoder(Bad)

    class Unknown(pydantic.BaseModel):
        a: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(DeclarationError, match=r"Unknown cannot be read from JSON: .*Nowhere"):
        Decoder(Unknown)


@given(st.binary() | st.from_regex(rb'\{("(id|lines|pair)":[\[\]{}0-9"a]*,?)*\}', fullmatch=True))
def test_no_bytes_raise_anything_but_our_error(data: bytes) -> None:
    for cls in (Order, Model):
        with contextlib.suppress(InvalidDataError):
            Decoder(cls).decode(data)


def test_a_pointer_escapes_what_it_is_made_of() -> None:
    assert pointer() == ""
    assert pointer("a", 0, "b/c", "d~e") == "/a/0/b~1c/d~0e"


def test_the_stored_attributes_are_one_compact_object() -> None:
    given_time = Envelope(id="1", source="web", type="t", time="2026-01-01T00:00:00Z", attributes={"a": 1, "b": True})
    assert attributes_to_bytes(given_time) == b'{"a":1,"b":true,"time":"2026-01-01T00:00:00Z"}'
    stamped = Envelope(id="1", source="web", type="t", time="2026-01-01T00:00:00Z", time_stamped=True)
    assert attributes_to_bytes(stamped) == b'{"time-stamped":"2026-01-01T00:00:00Z"}'
    assert attributes_to_bytes(Envelope(id="1", source="web", type="t")) == b"{}"


@given(ENVELOPES)
def test_an_envelope_comes_back_from_its_row_as_it_was(envelope: Envelope) -> None:
    assert envelope_of(row_of(envelope)) == envelope


def test_what_does_not_fit_is_told_in_the_words_of_json_schema_without_those_of_python() -> None:
    assert refusal(str | None, b"1") == (("", "expected string or null, got integer"),)
    assert misfit("Object contains unknown field `a`") == ("/a", "it is not known here")
    assert misfit("Invalid enum value 'int' - at `$.state`") == ("/state", "invalid enum value 'int'")
