"""Each rule of the two walks: without it there is a wrong yes, or a false alarm."""

from __future__ import annotations

from typing import Any

from tidings.versions import engine
from tidings.versions.structure import covers_by_structure
from tidings.versions.verdict import judge
from tidings.versions.walks import reader_open, writer_closed

S = {"type": "string"}


def obj(required: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(required)}


def test_definitions_are_followed_once_each() -> None:
    node = {"$ref": "#/$defs/n", "$defs": {"n": obj(next={"$ref": "#/$defs/n"})}}
    assert writer_closed(node).schema["$defs"]["n"]["additionalProperties"] is False
    assert writer_closed(node).schema["$defs"].keys() == {"n"}


def test_an_object_of_parts_is_closed_once_beside_them() -> None:
    whole = {"allOf": [obj(a=S), {"$ref": "#/$defs/b"}], "$defs": {"b": obj(("b",), b=S)}}
    closed = writer_closed(whole).schema
    assert engine.can_be_met(closed) == "yes"
    assert engine.is_valid(closed, {"a": "x", "b": "y"})
    assert not engine.is_valid(closed, {"a": "x", "b": "y", "c": 1})


def test_a_definition_is_a_part_here_and_whole_there() -> None:
    node = {
        "type": "object",
        "properties": {"whole": {"$ref": "#/$defs/b"}, "parts": {"allOf": [obj(a=S), {"$ref": "#/$defs/b"}]}},
        "$defs": {"b": obj(b=S)},
    }
    closed = writer_closed(node).schema
    assert engine.is_valid(closed, {"whole": {"b": "x"}, "parts": {"a": "x", "b": "y"}})
    assert not engine.is_valid(closed, {"whole": {"b": "x", "a": "y"}})


def tagged_union(*kinds: str) -> dict[str, Any]:
    return {"oneOf": [obj(("kind",), kind={"const": kind}, **{kind: S}) for kind in kinds]}


def test_branches_that_a_const_tells_apart_are_alternatives() -> None:
    assert judge(tagged_union("a", "b", "c"), tagged_union("a", "b")).answer == "yes"
    assert judge(tagged_union("a"), tagged_union("a", "b")).answer == "no"


def test_what_cannot_be_rewritten_is_unknown_unless_it_is_the_same() -> None:
    def conditional(**more: Any) -> dict[str, Any]:
        return {**obj(a=S, **more), "not": obj(("z",), z=S)}

    assert judge(conditional(b=S), {**conditional(), "not": obj(("y",), y=S)}).answer != "yes"
    assert judge(conditional(b=S), conditional()).answer == "yes"


def test_a_map_is_not_closed() -> None:
    anything: dict[str, Any] = {"type": "object"}
    numbers = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert writer_closed(anything).schema == anything
    assert writer_closed(numbers).schema == numbers
    assert judge(obj(("a",), a=S), anything).answer == "no"


def test_a_reader_needs_no_member_that_has_a_default() -> None:
    schema = {**obj(("a", "b"), a=S, b={**S, "default": "x"}), "additionalProperties": False}
    assert reader_open(schema).schema == obj(("a",), a=S, b={**S, "default": "x"})


def test_a_writer_that_can_write_nothing_proves_nothing() -> None:
    nothing = {"allOf": [{**obj(("a",), a=S), "additionalProperties": False}, obj(("b",), b=S)]}
    assert judge(obj(("z",), z=S), nothing).answer != "yes"


def test_schemas_that_refer_to_themselves_are_proved_pair_by_pair() -> None:
    def tree(**more: Any) -> dict[str, Any]:
        node = obj(("v",), v=S, kids={"type": "array", "items": {"$ref": "#/$defs/node"}}, **more)
        return {"$ref": "#/$defs/node", "$defs": {"node": node}}

    assert judge(tree(note=S), tree()).answer == "yes"
    assert judge(tree(), tree(note=S)).answer == "yes"
    other = tree()
    other["$defs"]["node"]["properties"]["v"] = {"type": "integer"}
    assert judge(other, tree()).answer == "no"


def test_a_circle_without_a_value_proves_nothing() -> None:
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}
    assert not covers_by_structure(circle, S)
