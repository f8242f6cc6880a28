"""Data without the members that its version does not declare: an open reader may have let them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidings.versions.engine import Schema
from tidings.versions.schemas import resolved

Keep = Callable[[dict[str, Any]], dict[str, Any]]
_Part = Callable[[Any], Any]


def keeping(schema: Schema) -> Keep:
    """Return what leaves undeclared members out, in nested objects and lists too; the data it is given stays as it is.

    Where a schema allows several shapes of an object, nobody can tell whose a member is: it is kept.
    """
    part = _Compiled(schema).part(schema)
    return (lambda data: data) if part is None else part


class _Compiled:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._made: dict[int, _Part] = {}

    def part(self, node: Any) -> _Part | None:
        """Return what is done to a value that stands there; None if nothing is."""
        found = resolved(node, self._root)
        if id(found) in self._made:
            made = self._made
            return lambda value: made[id(found)](value)
        branches = [each for each in found.get("anyOf", ()) if _is_shaped(resolved(each, self._root))]
        if "anyOf" in found:
            return self.part(branches[0]) if len(branches) == 1 and "properties" not in found else None
        if isinstance(found.get("properties"), Mapping):
            return self._of_object(found)
        if isinstance(found.get("items"), Mapping) and "prefixItems" not in found:
            item = self.part(found["items"])
            return None if item is None else _of_list(item)
        if isinstance(found.get("additionalProperties"), Mapping):
            value = self.part(found["additionalProperties"])
            return None if value is None else _of_map(value)
        return None

    def _of_object(self, node: Mapping[str, Any]) -> _Part | None:
        self._made[id(node)] = lambda value: value  # until it is whole, for those inside of it
        if node.get("additionalProperties", False) is not False or node.keys() & {
            "patternProperties",
            "allOf",
            "oneOf",
        }:
            return None
        inner = {name: part for name, each in node["properties"].items() if (part := self.part(each)) is not None}
        names = frozenset(node["properties"])

        def kept(value: Any) -> Any:
            if type(value) is not dict:
                return value
            if not inner and value.keys() <= names:
                return value
            return {name: inner[name](each) if name in inner else each for name, each in value.items() if name in names}

        self._made[id(node)] = kept
        return kept


def _is_shaped(node: Mapping[str, Any]) -> bool:
    return bool(node.keys() & {"properties", "items", "additionalProperties", "anyOf"})


def _of_list(item: _Part) -> _Part:
    return lambda value: [item(each) for each in value] if type(value) is list else value


def _of_map(part: _Part) -> _Part:
    return lambda value: {name: part(each) for name, each in value.items()} if type(value) is dict else value
