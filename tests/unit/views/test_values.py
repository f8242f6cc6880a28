"""Rows of every kind of class become stored values and come back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import pytest

from tidings.errors import DeclarationError
from tidings.events.declaration import value_class
from tidings.store.rows import Column
from tidings.views.columns import forms_of
from tidings.views.values import RowCodec, reader_of


@value_class
class Plain:
    a: str
    b: int


@dataclass
class Mutable:
    a: str
    b: int


@dataclass(kw_only=True)
class ByName:
    a: str
    b: int


class Structure(msgspec.Struct, kw_only=True):
    a: str
    b: int


class Model(pydantic.BaseModel):
    a: str = pydantic.Field(alias="A")
    b: int


@value_class
class Rich:
    a: str
    b: int
    seen: set[str]
    share: float | None = None


def codec(row: type, *key: str) -> RowCodec:
    forms = forms_of(row)
    columns = tuple(Column(name, form.kind, form.nullable) for name, form in forms.items())
    return RowCodec(row, columns, tuple(forms.values()), key or ("a",))


@pytest.mark.parametrize(
    "row",
    [Plain("x", 1), Mutable("x", 1), ByName(a="x", b=1), Structure(a="x", b=1), Model(A="x", b=1)],  # type: ignore[call-arg]
)
def test_every_kind_of_row_class_goes_there_and_back(row: Any) -> None:
    rows = codec(type(row))
    values = rows.stored(rows.values(row))
    assert values == ("x", 1)
    assert rows.load(values) == row
    assert rows.stored.is_plain


def test_a_row_with_members_that_are_converted_goes_there_and_back() -> None:
    rows = codec(Rich)
    row = Rich("x", 1, {"q", "p"}, 2)  # type: ignore[call-arg]
    values = rows.stored(rows.values(row))
    assert values == ("x", 1, '["p","q"]', 2.0)
    assert rows.load(values) == Rich("x", 1, {"q", "p"}, 2.0)  # type: ignore[call-arg]
    assert not rows.stored.is_plain


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("x", True), "b: expected int"),
        (("x", None), "b: expected int"),
        ((5, 1), "a: expected str"),
        (("x", 2**63), "b: the number needs more than 64 bits"),
        (("\udc00", 1), "a: .*half of a surrogate pair"),
        (("a\0", 1), r"a: .*U\+0000"),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_by_name_also_after_good_ones(values: Any, told: str) -> None:
    stored = codec(Plain).stored
    assert stored(("y", 2)) == ("y", 2)
    with pytest.raises(ValueError, match=told):
        stored(values)
    assert stored(("é", -(2**63))) == ("é", -(2**63))


def test_the_key_is_read_in_its_own_order() -> None:
    rows = codec(Plain, "b", "a")
    assert rows.key(("x", 1)) == (1, "x")
    assert rows.tombstone((1, "x")) == ("x", 1)


def test_a_tombstone_has_a_key_and_values_that_every_column_takes() -> None:
    assert codec(Rich).tombstone(("x",)) == ("x", 0, "null", None)


def test_members_are_read_as_a_tuple_also_if_it_is_one() -> None:
    assert reader_of(Plain, ("b",))(Plain("x", 1)) == (1,)  # type: ignore[call-arg]
    assert reader_of(Plain, ("b", "a"))(Plain("x", 1)) == (1, "x")  # type: ignore[call-arg]


def test_a_column_that_the_constructor_does_not_take_is_refused() -> None:
    row = dataclasses.make_dataclass("Row", [("a", str), ("b", int, dataclasses.field(init=False, default=1))])
    with pytest.raises(DeclarationError, match="parameter of the constructor"):
        codec(row)
