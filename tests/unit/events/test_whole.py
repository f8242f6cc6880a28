"""A member that is declared a whole number holds 64 bits; one that is declared nothing keeps a number as written."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from tidings.errors import InvalidDataError
from tidings.events.catalog import Catalog
from tidings.events.declaration import event
from tidings.events.envelope import Envelope

LEAST, GREATEST = -(2**63), 2**63 - 1


class Line(msgspec.Struct, frozen=True):
    count: int


@event("order-counted")
class Counted:
    n: int = 0
    more: int | None = None
    either: int | str = 0
    wide: int | float = 0
    some: tuple[int, ...] = ()
    pair: tuple[int, str] = (0, "")
    named: dict[str, int] = msgspec.field(default_factory=dict)
    lines: list[Line] = msgspec.field(default_factory=list)
    positive: Annotated[int, msgspec.Meta(ge=0)] = 0
    again: Counted | None = None
    any: Any = None
    anything: dict[str, Any] = msgspec.field(default_factory=dict)


@event("order-held")
class Held(pydantic.BaseModel):
    n: int = pydantic.Field(default=0, alias="theN")
    bounded: Annotated[int, pydantic.Field(gt=-5, le=10**30)] = 0
    any: Any = None


@event("order-kept")
@dataclasses.dataclass(frozen=True)
class Kept:
    n: int = 0


CATALOG = Catalog((Counted, Held, Kept))


def admit(type: str, data: str) -> Envelope:
    return CATALOG.admit(Envelope(id="1", source="web", type=type, data=data.encode()), now_us=1)


@pytest.mark.parametrize(
    ("type", "data", "at"),
    [
        ("order-counted", '{"n":%d}', "/n"),
        ("order-counted", '{"more":%d}', "/more"),
        ("order-counted", '{"either":%d}', "/either"),
        ("order-counted", '{"some":[1,%d]}', "/some/1"),
        ("order-counted", '{"pair":[%d,""]}', "/pair/0"),
        ("order-counted", '{"named":{"a/b":%d}}', "/named/a~1b"),
        ("order-counted", '{"lines":[{"count":%d}]}', "/lines/0/count"),
        ("order-counted", '{"again":{"again":{"n":%d}}}', "/again/again/n"),
        ("order-held", '{"theN":%d}', "/theN"),
        ("order-held", '{"theN":"%d"}', "/theN"),
        ("order-kept", '{"n":%d}', "/n"),
    ],
)
def test_a_declared_whole_number_needs_64_bits_at_most(type: str, data: str, at: str) -> None:
    for within in (LEAST, GREATEST):
        assert admit(type, data % within).data == (data % within).encode()
    for beyond in (LEAST - 1, GREATEST + 1, 10**40):
        with pytest.raises(InvalidDataError, match="64 bits") as refused:
            admit(type, data % beyond)
        assert [where for where, _ in refused.value.errors] == [at]


@pytest.mark.parametrize("member", ["any", "wide"])
def test_a_number_that_is_declared_nothing_or_a_float_is_kept_as_it_was_written(member: str) -> None:
    data = f'{{"{member}":123456789012345678901234567890}}'
    assert admit("order-counted", data).data == data.encode()
    nested = '{"anything":{"a":[{"n":123456789012345678901234567890}]},"either":"123456789012345678901234567890"}'
    assert admit("order-counted", nested).data == nested.encode()


def test_what_a_service_says_is_judged_alike() -> None:
    assert CATALOG.envelope(Counted(n=GREATEST), id="1", source="web", now_us=1).data
    for beyond in (Counted(n=GREATEST + 1), Counted(lines=[Line(LEAST - 1)]), Kept(10**30), Held(theN=10**30)):
        with pytest.raises(InvalidDataError, match="64 bits"):
            CATALOG.envelope(beyond, id="1", source="web", now_us=1)


def test_the_schema_says_what_is_the_least_and_the_greatest() -> None:
    members = CATALOG.json_schema("order-counted", 1)["$defs"]["Counted"]["properties"]
    whole = {"type": "integer", "minimum": LEAST, "maximum": GREATEST}
    assert members["n"] == {**whole, "default": 0}
    assert members["more"]["anyOf"] == [whole, {"type": "null"}]
    assert members["some"]["items"] == members["named"]["additionalProperties"] == whole
    assert members["positive"] == {**whole, "minimum": 0, "default": 0}
    assert "minimum" not in members["any"]
    bounded = CATALOG.json_schema("order-held", 1)["properties"]["bounded"]
    assert (bounded["exclusiveMinimum"], bounded["maximum"]) == (-5, GREATEST)
    assert "minimum" not in bounded
