"""A proof for schemas that refer to themselves, of which the engine cannot tell: pair by pair, what is being proved
being taken for granted (coinduction, which is sound as every step goes into a smaller part of the value)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidings.versions import engine
from tidings.versions.engine import Schema

_PLAIN_OBJECT = frozenset(
    {"type", "properties", "required", "additionalProperties", "title", "description", "default", "$schema", "$defs"}
)
_PLAIN_ARRAY = frozenset({"type", "items", "title", "description", "default"})
_NOTES = frozenset({"title", "description", "default"})


STEPS_MAX = 10_000
_Pairs = frozenset[tuple[str, str]]


def covers_by_structure(reader: Schema, writer: Schema) -> bool:
    """Say whether it is proved that the reader takes all that the writer can write. False says nothing."""
    return _Proof(reader, writer).holds(reader, writer, frozenset(), frozenset())


class _Proof:
    """`granted`: pairs that were met around a part of the value; `met`: those that were met for this part itself."""

    def __init__(self, reader: Schema, writer: Schema) -> None:
        self._reader = reader.get("$defs", {})
        self._writer = writer.get("$defs", {})
        self._steps = 0

    def holds(self, reader: Any, writer: Any, granted: _Pairs, met: _Pairs) -> bool:
        pair = repr(reader), repr(writer)
        self._steps += 1
        if pair in granted:
            return True
        if pair in met or self._steps > STEPS_MAX:
            return False  # round in a circle, and no part of the value was looked at
        met |= {pair}
        reader, writer = _resolved(reader, self._reader), _resolved(writer, self._writer)
        if reader is True or reader == {}:
            return True
        if not isinstance(reader, Mapping) or not isinstance(writer, Mapping):
            return False
        return self._by_kind(reader, writer, granted, met) or _alone(reader, writer)

    def _by_kind(self, reader: Mapping[str, Any], writer: Mapping[str, Any], granted: _Pairs, met: _Pairs) -> bool:
        branches = writer.get("anyOf")
        if isinstance(branches, list) and not writer.keys() - _NOTES - {"anyOf", "$defs"}:
            return all(self.holds(reader, branch, granted, met) for branch in branches)
        choices = reader.get("anyOf")
        if isinstance(choices, list) and not reader.keys() - _NOTES - {"anyOf", "$defs"}:
            return any(self.holds(choice, writer, granted, met) for choice in choices)
        if _is(reader, "object", _PLAIN_OBJECT) and _is(writer, "object", _PLAIN_OBJECT):
            return self._objects(reader, writer, granted | met)
        if _is(reader, "array", _PLAIN_ARRAY) and _is(writer, "array", _PLAIN_ARRAY):
            return self.holds(reader.get("items", True), writer.get("items", True), granted | met, frozenset())
        return False

    def _objects(self, reader: Mapping[str, Any], writer: Mapping[str, Any], granted: _Pairs) -> bool:
        taken, written = reader.get("properties", {}), writer.get("properties", {})
        if not set(reader.get("required", ())) <= set(writer.get("required", ())):
            return False
        if "additionalProperties" in reader or writer.get("additionalProperties") is not False:
            return False
        return all(self.holds(taken.get(name, True), inner, granted, frozenset()) for name, inner in written.items())


def _alone(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> bool:
    """Ask the engine about a pair that needs no definition."""
    if "$ref" in repr(reader) or "$ref" in repr(writer):
        return False
    return engine.can_be_met(writer) == "yes" and engine.covers(reader, writer) == "yes"


def _resolved(node: Any, definitions: Mapping[str, Any]) -> Any:
    hops = 0
    while (
        isinstance(node, Mapping) and isinstance(node.get("$ref"), str) and not node.keys() - _NOTES - {"$ref", "$defs"}
    ):
        node, hops = definitions.get(node["$ref"].removeprefix("#/$defs/")), hops + 1
        if hops > len(definitions) + 1:
            return None
    return node


def _is(node: Mapping[str, Any], kind: str, plain: frozenset[str]) -> bool:
    return node.get("type") == kind and node.keys() <= plain
