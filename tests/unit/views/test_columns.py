"""Members of a class become columns, and their values come back as they went."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import DeclarationError, InvalidDataError
from tidings.views.columns import form_of

UserId = NewType("UserId", str)


class Colour(StrEnum):
    RED = "red"


class Size(Enum):
    SMALL = 1


class Thing:
    """Nothing that JSON knows."""


class Point(msgspec.Struct, frozen=True):
    x: int
    y: int


@pytest.mark.parametrize(
    ("hint", "kind", "value", "stored"),
    [
        (str, "text", "jack", "jack"),
        (UserId, "text", "jack", "jack"),
        (Annotated[int, msgspec.Meta(ge=0)], "integer", 7, 7),
        (bool, "boolean", True, True),
        (bytes, "blob", b"\x00", b"\x00"),
        (float, "real", 1.5, 1.5),
        (datetime, "time", datetime(1970, 1, 1, 0, 0, 1, 2, tzinfo=UTC), 1_000_002),
        (datetime, "time", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), -1_000_000),
        (Decimal, "decimal", Decimal("1.10"), "1.10"),
        (Colour, "text", Colour.RED, "red"),
        (Size, "integer", Size.SMALL, 1),
        (Literal["open", "shut"], "text", "open", "open"),
        (UUID, "text", UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (date, "text", date(2026, 5, 4), "2026-05-04"),
        (list[str], "json", ["b", "a"], '["b","a"]'),
        (dict[str, int], "json", {"b": 1, "a": 2}, '{"a":2,"b":1}'),
        (set[str], "json", {"b", "a", "c"}, '["a","b","c"]'),
        (tuple[int, ...], "json", (2, 1), "[2,1]"),
        (Point, "json", Point(1, 2), '{"x":1,"y":2}'),
        (list[Point], "json", [Point(1, 2)], '[{"x":1,"y":2}]'),
        (int | str, "json", "seven", '"seven"'),
    ],
)
def test_a_value_comes_back_as_it_went(hint: Any, kind: str, value: Any, stored: Any) -> None:
    form = form_of(hint)
    assert form.kind == kind
    assert not form.nullable
    assert form.store(value) == stored
    assert type(form.store(value)) is type(stored)
    back = stored if form.load is None else form.load(stored)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("hint", [str, int, float, datetime, list[str], Colour, UUID, Decimal])
def test_only_an_optional_member_may_be_none(hint: Any) -> None:
    form = form_of(hint | None)
    assert form.nullable
    assert form.store(None) is None
    assert form.load is None or form.load(None) is None
    with pytest.raises((TypeError, ValueError, InvalidDataError)):
        stored = form_of(hint).store(None)
        form_of(hint).load(stored)  # type: ignore[misc]  # what is JSON is judged on its way back


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (str, 5),
        (str, "\ud800"),
        (int, True),
        (int, 2**63),
        (int, -(2**63) - 1),
        (int, "5"),
        (bool, 1),
        (bytes, "x"),
        (float, float("nan")),
        (float, "1"),
        (datetime, datetime(2026, 5, 4)),  # noqa: DTZ001  # without an offset it says no time
        (datetime, "2026-05-04T00:00:00Z"),
        (Decimal, 1.5),
        (Decimal, Decimal("NaN")),
        (Literal["open"], "shut"),
        (Colour, "red"),
        (UUID, "00000000-0000-0000-0000-000000000005"),
    ],
)
def test_a_value_of_another_type_or_range_is_refused(hint: Any, value: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        form_of(hint).store(value)


def test_an_int_in_a_float_column_is_a_float_as_it_will_come_back() -> None:
    assert type(form_of(float).store(3)) is float


def test_the_sign_of_a_negative_zero_is_dropped_as_engines_do() -> None:
    assert str(form_of(float).store(-0.0)) == "0.0"


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7)), timezone(timedelta(minutes=330))])))
def test_a_datetime_is_the_same_moment_after_storing(value: datetime) -> None:
    form = form_of(datetime)
    try:
        stored = form.store(value)
    except OverflowError:
        return
    assert form.load is not None
    try:
        assert form.load(stored) == value
    except (ValueError, OverflowError):
        assert value.year in (1, 9999)  # its UTC lies outside the years a datetime has


@pytest.mark.parametrize("hint", [object, Thing, Literal["a", 1], list[Thing]])
def test_a_type_that_json_does_not_have_is_refused_when_declared(hint: Any) -> None:
    with pytest.raises(DeclarationError):
        form_of(hint)
