"""Whole numbers that a class declares: 64 bits, which is what the columns of views hold on every back end.

JSON itself sets no limit to a number, and leaves it to software what it takes (RFC 8259 section 6). A number in a
member whose class says nothing about its form is kept as it was written, however long it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidings.events.codec import pointer

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
TOO_LONG = f"a whole number has 64 bits, from {INT64_MIN} to {INT64_MAX}"

PLACES_MAX = 20
"""How many of them are told."""

_DIGITS_AS_ZEROS = bytes(ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256))
_LONG = b"0" * len(str(INT64_MAX))
_NAMED = ("properties", "patternProperties", "$defs")
_VALUES = ("const", "enum", "default", "examples", "required")
_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("boolean", (bool,)),
    ("integer", (int,)),
    ("number", (int, float)),
    ("string", (str,)),
    ("array", (list,)),
    ("object", (dict,)),
    ("null", (type(None),)),
)


def is_long(value: int) -> bool:
    """Say whether a number needs more than 64 bits."""
    return not INT64_MIN <= value <= INT64_MAX


def may_be_too_long(data: bytes) -> bool:
    """Say whether a number in this JSON may need more than 64 bits. That clears most data, and costs little."""
    return data.translate(_DIGITS_AS_ZEROS).find(_LONG) >= 0  # `in` makes an exception first, and drops it


def declares_any(schema: Any) -> bool:
    """Say whether a JSON Schema declares any whole number."""
    if isinstance(schema, list):
        return any(map(declares_any, schema))
    return isinstance(schema, Mapping) and (schema.get("type") == "integer" or any(map(declares_any, schema.values())))


def with_limits(schema: Any) -> Any:
    """Return a JSON Schema that says of each whole number what is the least and the greatest, where it did not."""
    if isinstance(schema, list):
        return [with_limits(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {name: _limited(name, value) for name, value in schema.items()}
    if made.get("type") == "integer":
        if made.get("minimum", made.get("exclusiveMinimum", INT64_MIN - 1)) < INT64_MIN:
            made["minimum"] = INT64_MIN
        if made.get("maximum", made.get("exclusiveMaximum", INT64_MAX + 1)) > INT64_MAX:
            made["maximum"] = INT64_MAX
    return made


def _limited(name: str, value: Any) -> Any:
    if name in _VALUES:
        return value
    if name in _NAMED and isinstance(value, Mapping):
        return {key: with_limits(inner) for key, inner in value.items()}
    return with_limits(value)


def too_long(schema: Mapping[str, Any], value: Any) -> list[str]:
    """Return the pointers of the whole numbers in `value` that this schema declares and that need more than 64 bits."""
    return list(_found(schema, schema, value, ()))


_Steps = tuple[str | int, ...]


def _found(root: Mapping[str, Any], node: Any, value: Any, steps: _Steps) -> Iterator[str]:
    while isinstance(node, Mapping) and "$ref" in node:
        node = root["$defs"][node["$ref"].removeprefix("#/$defs/")]
    if not isinstance(node, Mapping):
        return
    if "anyOf" in node:
        ways = [list(_found(root, each, value, steps)) for each in node["anyOf"] if _fits(root, each, value)]
        yield from min(ways, key=len, default=[])
    elif node.get("type") == "integer":
        if isinstance(value, int) and is_long(value):
            yield pointer(*steps)
    elif isinstance(value, dict):
        known, others = node.get("properties", {}), node.get("additionalProperties")
        for name, inner in value.items():
            yield from _found(root, known.get(name, others), inner, (*steps, name))
    elif isinstance(value, list):
        first, others = node.get("prefixItems", ()), node.get("items")
        for place, inner in enumerate(value):
            yield from _found(root, first[place] if place < len(first) else others, inner, (*steps, place))


def _fits(root: Mapping[str, Any], node: Any, value: Any) -> bool:
    """Say whether the kind of value may be this way of writing a union."""
    while isinstance(node, Mapping) and "$ref" in node:
        node = root["$defs"][node["$ref"].removeprefix("#/$defs/")]
    kind = node.get("type") if isinstance(node, Mapping) else None
    return kind is None or any(kind == name and isinstance(value, kinds) for name, kinds in _KINDS)
