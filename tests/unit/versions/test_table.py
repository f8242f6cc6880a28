"""The table of changes, computed: whether the new schema reads the old one (B), and the old one the new (F)."""

from __future__ import annotations

from typing import Any

import pytest

from tidings.versions.verdict import Reading, judge

S, INTEGER, N = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def obj(closed: bool = False, required: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": members, "required": list(required)}
    return {**found, "additionalProperties": False} if closed else found


def of(old: Any, new: Any) -> tuple[Any, Any]:
    """A member `x` that changes."""
    return obj(x=old, required=("x",)), obj(x=new, required=("x",))


A, B, C = {"type": "string", "maxLength": 3}, {"type": "integer"}, {"type": "boolean"}
TABLE: list[tuple[str, Any, Any, str]] = [
    ("add optional field, open", obj(a=S), obj(a=S, b=S), "no yes yes yes"),
    ("add optional field, nested", obj(o=obj(a=S)), obj(o=obj(a=S, b=S)), "no yes yes yes"),
    (
        "add required field with a default",
        obj(a=S),
        obj(a=S, b={"type": "string", "default": "x"}, required=("b",)),
        "no yes yes yes",
    ),
    ("add optional field, closed", obj(True, a=S), obj(True, a=S, b=S), "yes no yes yes"),
    ("open a closed object", obj(True, a=S), obj(a=S), "yes no yes yes"),
    ("remove optional field, open", obj(a=S, b=S), obj(a=S), "yes no yes yes"),
    ("remove optional field, closed", obj(True, a=S, b=S), obj(True, a=S), "no yes yes yes"),
    ("close an open object", obj(a=S), obj(True, a=S), "no yes yes yes"),
    ("add required field", obj(a=S), obj(a=S, b=S, required=("b",)), "no yes no yes"),
    ("optional -> required", obj(a=S), obj(a=S, required=("a",)), "no yes no yes"),
    ("null taken away", *of({"type": ["string", "null"]}, S), "no yes no yes"),
    ("enum value removed", *of({"enum": ["a", "b"]}, {"enum": ["a"]}), "no yes no yes"),
    ("free string -> enum", *of(S, {"enum": ["a"]}), "no yes no yes"),
    ("minimum raised", *of({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 2}), "no yes no yes"),
    (
        "minItems raised",
        *of({"type": "array", "items": S}, {"type": "array", "items": S, "minItems": 1}),
        "no yes no yes",
    ),
    ("maxLength added", *of(S, {"type": "string", "maxLength": 5}), "no yes no yes"),
    ("pattern added", *of(S, {"type": "string", "pattern": "^a+$"}), "no yes no yes"),
    ("format added", *of(S, {"type": "string", "format": "date-time"}), "no yes no yes"),
    ("remove required field, open", obj(a=S, b=S, required=("b",)), obj(a=S), "yes no yes no"),
    ("required -> optional", obj(a=S, required=("a",)), obj(a=S), "yes no yes no"),
    ("null added", *of(S, {"type": ["string", "null"]}), "yes no yes no"),
    ("enum value added", *of({"enum": ["a"]}, {"enum": ["a", "b"]}), "yes no yes no"),
    ("maximum raised", *of({"type": "integer", "maximum": 1}, {"type": "integer", "maximum": 2}), "yes no yes no"),
    ("maxLength raised", *of({"type": "string", "maxLength": 1}, {"type": "string", "maxLength": 2}), "yes no yes no"),
    (
        "maxItems raised",
        *of({"type": "array", "items": S, "maxItems": 1}, {"type": "array", "items": S, "maxItems": 2}),
        "yes no yes no",
    ),
    (
        "uniqueItems dropped",
        *of({"type": "array", "items": S, "uniqueItems": True}, {"type": "array", "items": S}),
        "yes no yes no",
    ),
    ("branch added to anyOf", *of({"anyOf": [A, B]}, {"anyOf": [A, B, C]}), "yes no yes no"),
    ("branch added to disjoint oneOf", *of({"oneOf": [A, B]}, {"oneOf": [A, B, C]}), "yes no yes no"),
    ("scalar -> scalar or array", *of(S, {"anyOf": [S, {"type": "array", "items": S}]}), "yes no yes no"),
    (
        "remove required field, closed",
        obj(True, a=S, b=S, required=("b",)),
        obj(True, a=S),
        "no no yes no",
    ),
    ("integer -> number", *of(INTEGER, N), "yes no yes no"),
    (
        "multipleOf 10 -> 5",
        *of({"type": "integer", "multipleOf": 10}, {"type": "integer", "multipleOf": 5}),
        "yes no yes no",
    ),
    ("array items widened", *of({"type": "array", "items": INTEGER}, {"type": "array", "items": N}), "yes no yes no"),
    ("number -> integer", *of(N, INTEGER), "no yes no yes"),
    (
        "wider pattern",
        *of({"type": "string", "pattern": "^a$"}, {"type": "string", "pattern": "^a+$"}),
        "unknown no unknown no",
    ),
    ("rename a field", obj(a=S, required=("a",)), obj(b=S, required=("b",)), "no no no no"),
    ("other type", *of(S, INTEGER), "no no no no"),
    ("scalar -> array", *of(S, {"type": "array", "items": S}), "no no no no"),
    ("other const", *of({"const": 1}, {"const": 2}), "no no no no"),
    ("other pattern", *of({"type": "string", "pattern": "^a$"}, {"type": "string", "pattern": "^b$"}), "no no no no"),
    (
        "overlapping branch added to oneOf",
        *of(
            {"oneOf": [{"type": "string", "maxLength": 5}]},
            {"oneOf": [{"type": "string", "maxLength": 5}, {"type": "string", "minLength": 3}]},
        ),
        "no no no no",
    ),
    (
        "description changed",
        *of({"type": "string", "title": "a"}, {"type": "string", "description": "b"}),
        "yes yes yes yes",
    ),
    ("default changed", *of({"type": "string", "default": "a"}, {"type": "string", "default": "b"}), "yes yes yes yes"),
    ("encoding changed", *of({"type": "string", "contentEncoding": "base64"}, S), "no no no no"),
    (
        "private format changed",
        *of({"type": "string", "format": "x-a"}, {"type": "string", "format": "x-b"}),
        "no no no no",
    ),
]


@pytest.mark.parametrize(("change", "old", "new", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_a_change_is_judged_as_the_table_says(change: str, old: Any, new: Any, expected: str) -> None:
    found = []
    readings: tuple[Reading, ...] = ("strict", "friendly")
    for reading in readings:
        for reader, writer in ((new, old), (old, new)):
            verdict = judge(reader, writer, reading)
            assert verdict.has_witness or verdict.answer != "no" or verdict.refused is not None
            found.append(verdict.answer)
    assert " ".join(found) == expected
