"""A JSON Schema as a table."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from tidings import event
from tidings.console.members import ROWS_MOST, members_of
from tidings.versions.schemas import schema_of


class Line(msgspec.Struct, frozen=True):
    article: str
    count: Annotated[int, msgspec.Meta(ge=1, le=99)] = 1


class Node(msgspec.Struct, frozen=True):
    name: str
    below: tuple[Node, ...] = ()


@event("order-came", subject="order_id", open_enums=("state",))
class OrderCame:
    order_id: str
    lines: tuple[Line, ...]
    price: Decimal
    at: datetime
    by_article: dict[str, Line]
    place: tuple[float, float]
    tree: Node
    state: Literal["open", "paid"] = "open"
    gift: bool | None = None


def test_members_are_told_in_words_and_nested_ones_stand_below() -> None:
    rows = [(each.depth, each.name, each.form, each.is_needed, each.notes) for each in members_of(schema_of(OrderCame))]
    assert rows == [
        (0, "order_id", "string", True, ()),
        (0, "lines", "list of object", True, ()),
        (1, "article", "string", True, ()),
        (1, "count", "integer", False, ("≥ 1", "≤ 99", "1 if left out")),
        (0, "price", "string (decimal)", True, ()),
        (0, "at", "string (date-time)", True, ()),
        (0, "by_article", "object of object", True, ()),
        (1, "article", "string", True, ()),
        (1, "count", "integer", False, ("≥ 1", "≤ 99", "1 if left out")),
        (0, "place", "list of number, number", True, ("at least 2 items", "at most 2 items")),
        (0, "tree", "part1", True, ()),
        (1, "name", "string", True, ()),
        (1, "below", "list of part1", False, ("[] if left out",)),
        (0, "state", '"open" or "paid"', False, ("values may be added", '"open" if left out')),
        (0, "gift", "boolean or null", False, ("null if left out",)),
    ]


def test_a_schema_of_any_size_ends() -> None:
    wide = {"properties": {f"m{n}": {"type": "string"} for n in range(ROWS_MOST * 2)}}
    assert len(members_of(wide)) == ROWS_MOST
    deep: dict[str, object] = {"type": "string"}
    for _ in range(40):
        deep = {"properties": {"in": deep}}
    assert len(members_of(deep)) < 40
    assert members_of({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}) == []


def test_what_any_schema_may_say_is_told() -> None:
    odd = {"properties": {"a": True, "b": False, "c": {}, "d": {"type": ["string", "null"]}, "e": {"const": 1}}}
    assert [each.form for each in members_of(odd)] == ["any value", "no value", "any value", "string or null", "1"]
