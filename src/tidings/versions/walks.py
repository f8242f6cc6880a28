"""A schema as its reader takes it and as its writer keeps to it, which is what tidings' own codec does.

Writers are closed: a member that is not declared is refused at publish. Readers are open: unknown members are ignored,
and a default fills in for a missing one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tidings.versions.engine import Schema

PARTS = "~parts"
"""The end of a definition's name where it is a part of an object: its members are not all there are."""

_MAPS = ("properties", "patternProperties")
_LISTS = ("prefixItems", "allOf", "anyOf")
_ONE = ("items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems")
_LEFT = ("not", "if", "then", "else", "contains", "propertyNames", "dependentSchemas", "oneOf")
_OBJECT = frozenset({"properties", "patternProperties", "required", "additionalProperties", "unevaluatedProperties"})

Side = Literal["reader", "writer"]


@dataclass(frozen=True, slots=True)
class Walked:
    """`left`: by JSON pointer, the parts with objects in them that could not be rewritten, as they are."""

    schema: Schema
    left: Mapping[str, Any] = field(default_factory=dict)


def writer_closed(schema: Schema) -> Walked:
    """Return the schema of what its writers write: every open object with members is closed."""
    return _Walk("writer", schema).whole()


def reader_open(schema: Schema) -> Walked:
    """Return the schema of what its readers take: every closed object is open, what has a default may be missing."""
    return _Walk("reader", schema).whole()


def is_object(node: Any) -> bool:
    """Say whether a schema speaks of objects."""
    if not isinstance(node, Mapping):
        return False
    kind = node.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or not _OBJECT.isdisjoint(node)


class _Walk:
    def __init__(self, side: Side, schema: Schema) -> None:
        self._side = side
        self._root = schema
        self._definitions: Mapping[str, Any] = schema.get("$defs", {})
        self._wanted: list[str] = []
        self._done: dict[str, Any] = {}
        self._left: dict[str, Any] = {}

    def whole(self) -> Walked:
        body = {name: value for name, value in self._root.items() if name != "$defs"}
        walked = self._node(body, "")
        while self._wanted:
            name = self._wanted.pop()
            if name not in self._done:
                self._done[name] = None
                source = self._definitions.get(name.removesuffix(PARTS), True)
                self._done[name] = self._node(source, f"/$defs/{name}", closes=not name.endswith(PARTS))
        return Walked({**walked, "$defs": self._done} if self._done else walked, self._left)

    def _node(self, node: Any, at: str, *, closes: bool = True) -> Any:
        if not isinstance(node, Mapping):
            return node
        found = {name: self._member(node, name, value, at) for name, value in node.items()}
        self._discriminate(node, found, at)
        if "$ref" in node:
            found["$ref"] = self._reference(str(node["$ref"]), closes=closes and not _is_composed(node))
        if self._side == "reader":
            _open(found)
        elif closes and not self._is_mixed(node):
            _close(found, is_composed=_is_composed(node) and self._has_object(node))
        return found

    def _member(self, node: Mapping[str, Any], name: str, value: Any, at: str) -> Any:
        here = f"{at}/{name}"
        if name in _LEFT or (name == "anyOf" and self._is_mixed(node)):
            self._leave(value, here)
            return value
        if name in _MAPS and isinstance(value, Mapping):
            return {key: self._node(inner, f"{here}/{key}") for key, inner in value.items()}
        if name in _LISTS and isinstance(value, list):
            return [self._node(inner, f"{here}/{n}", closes=name != "allOf") for n, inner in enumerate(value)]
        return self._node(value, here) if name in _ONE else value

    def _is_mixed(self, node: Mapping[str, Any]) -> bool:
        """Say whether alternatives stand beside members: then no object here is told whole by any of them."""
        return bool(node.keys() & {"anyOf", "oneOf"}) and "properties" in node

    def _leave(self, value: Any, at: str) -> None:
        if any(is_object(inner) for inner in self._within(value)):
            self._left[at] = value

    def _discriminate(self, node: Mapping[str, Any], found: dict[str, Any], at: str) -> None:
        """Read a `oneOf` whose branches are told apart by a required `const` as `anyOf`."""
        branches = node.get("oneOf")
        if not isinstance(branches, list) or self._is_mixed(node) or "anyOf" in node:
            return
        if is_told_apart([self._resolved(branch) for branch in branches]):
            self._left.pop(f"{at}/oneOf", None)
            del found["oneOf"]
            found["anyOf"] = [self._node(inner, f"{at}/anyOf/{n}") for n, inner in enumerate(branches)]

    def _reference(self, target: str, *, closes: bool) -> str:
        name = target.removeprefix("#/$defs/")
        if name == target:
            return target
        name = name if closes or self._side == "reader" else name + PARTS
        self._wanted.append(name)
        return f"#/$defs/{name}"

    def _resolved(self, node: Any) -> Any:
        seen = set()
        while isinstance(node, Mapping) and isinstance(node.get("$ref"), str) and node["$ref"] not in seen:
            seen.add(node["$ref"])
            node = self._definitions.get(node["$ref"].removeprefix("#/$defs/"))
        return node

    def _has_object(self, node: Mapping[str, Any]) -> bool:
        parts = [node, self._resolved(node), *(self._resolved(part) for part in node.get("allOf", ()))]
        return any(is_object(part) for part in parts)

    def _within(self, value: Any) -> Iterator[Any]:
        """Return the value and all that is in it, definitions that it refers to included, each once."""
        waiting, seen = [value], set()
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, Mapping):
                waiting += node.values()
                target = node.get("$ref")
                if isinstance(target, str) and target not in seen:
                    seen.add(target)
                    waiting.append(self._resolved(node))
            elif isinstance(node, list):
                waiting += node


def _is_composed(node: Mapping[str, Any]) -> bool:
    return "allOf" in node or ("$ref" in node and not _OBJECT.isdisjoint(node))


def _close(node: dict[str, Any], *, is_composed: bool) -> None:
    if "additionalProperties" in node or "unevaluatedProperties" in node:
        return
    if is_composed:
        node["unevaluatedProperties"] = False
    elif "properties" in node:
        node["additionalProperties"] = False


def _open(node: dict[str, Any]) -> None:
    if node.get("x-open-enum") is True and isinstance(node.get("enum"), list):
        texts = all(isinstance(value, str) for value in node.pop("enum"))
        node.update({"type": "string"} if texts else {})
    for name in ("additionalProperties", "unevaluatedProperties"):
        if node.get(name) is False:
            del node[name]
    members = node.get("properties")
    if isinstance(members, Mapping) and isinstance(node.get("required"), list):
        needed = [name for name in node["required"] if not _has_default(members.get(name))]
        node["required"] = needed


def _has_default(node: Any) -> bool:
    return isinstance(node, Mapping) and "default" in node


def is_told_apart(branches: list[Any]) -> bool:
    """Say whether all are objects with one required member whose value, a `const`, differs in each."""
    consts: list[dict[str, Any]] = []
    for branch in branches:
        if not isinstance(branch, Mapping) or not isinstance(branch.get("properties"), Mapping):
            return False
        needed = branch.get("required", [])
        consts.append({name: each for name, each in _consts(branch["properties"]) if name in needed})
    names = set(consts[0]).intersection(*consts[1:]) if consts else set()
    return any(len({repr(each[name]) for each in consts}) == len(consts) for name in names)


def _consts(members: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, node in members.items():
        if isinstance(node, Mapping):
            if "const" in node:
                yield name, node["const"]
            elif isinstance(node.get("enum"), list) and len(node["enum"]) == 1:
                yield name, node["enum"][0]
