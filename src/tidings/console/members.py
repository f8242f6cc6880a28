"""A JSON Schema as a table: a row for each member, those of an object inside it below it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidings.versions.schemas import OPEN_ENUM, resolved

ROWS_MOST = 400
DEPTH_MOST = 8
TEXT_MOST = 120
_LIMITS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
    ("multipleOf", "a multiple of {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("pattern", "matches {}"),
    ("contentEncoding", "as {}"),
)
_REF = "#/$defs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """`depth`: 0 at the top. `form`: what its values are; `notes`: what else holds of them."""

    name: str
    depth: int
    form: str
    is_needed: bool
    notes: tuple[str, ...]


def members_of(schema: Mapping[str, Any]) -> list[Member]:
    """Return the rows of a schema, cut behind as many as anybody reads."""
    return [each for each, _ in zip(_Rows(schema).of(schema, 0, ()), range(ROWS_MOST), strict=False)]


class _Rows:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def of(self, node: Any, depth: int, inside: tuple[str, ...]) -> Iterator[Member]:
        """Yield the members of an object, of each object in a list, and of each shape it may have. `inside`: of which
        definitions it is a part, so that one that refers to itself ends."""
        if depth >= DEPTH_MOST or not isinstance(node, Mapping):
            return
        target = node.get("$ref")
        if isinstance(target, str):
            if target not in inside:
                yield from self.of(resolved(node, self._root), depth, (*inside, target))
            return
        needed = node.get("required", ())
        for name, each in (node.get("properties") or {}).items():
            form, notes = self.form(each), tuple(self._notes(each))
            yield Member(name=name, depth=depth, form=form, is_needed=name in needed, notes=notes)
            yield from self.of(each, depth + 1, inside)
        for each in (
            node.get("items"),
            node.get("additionalProperties"),
            *node.get("anyOf", ()),
            *node.get("oneOf", ()),
        ):
            yield from self.of(each, depth, inside)

    def form(self, node: Any) -> str:
        """Return in words what values are."""
        if node is True or node == {}:
            return "any value"
        if not isinstance(node, Mapping):
            return "no value"
        target = node.get("$ref")
        if isinstance(target, str):
            return target.removeprefix(_REF)
        for name in ("anyOf", "oneOf"):
            if name in node:
                return " or ".join(dict.fromkeys(self.form(each) for each in node[name]))
        if "const" in node:
            return _json(node["const"])
        if "enum" in node:
            return " or ".join(_json(each) for each in node["enum"])
        kinds = node.get("type", "any value")
        return " or ".join(self._named(kind, node) for kind in ([kinds] if isinstance(kinds, str) else kinds))

    def _named(self, kind: str, node: Mapping[str, Any]) -> str:
        if kind == "array":
            if "prefixItems" in node:
                return f"list of {', '.join(self.form(each) for each in node['prefixItems'])}"
            return f"list of {self.form(node['items'])}" if "items" in node else "list"
        inner = node.get("additionalProperties")
        if kind == "object" and isinstance(inner, Mapping) and not node.get("properties"):
            return f"object of {self.form(inner)}"
        named = node.get("x-tidings-type") or node.get("format")
        return f"{kind} ({named})" if kind == "string" and named else kind

    def _notes(self, node: Any) -> Iterator[str]:
        if not isinstance(node, Mapping):
            return
        for name, told in _LIMITS:
            if name in node:
                yield told.format(node[name] if isinstance(node[name], str) else f"{node[name]:,}")
        if node.get("uniqueItems"):
            yield "each once"
        if node.get(OPEN_ENUM):
            yield "values may be added"
        if "default" in node:
            yield f"{_json(node['default'])} if left out"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= TEXT_MOST else f"{text[:TEXT_MOST]}…"
