"""A version's JSON Schema as AsyncAPI takes one without being told another dialect: a superset of draft 07."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidings.store.versions import EventVersion

_REF = "#/$defs/"
_VALUES = frozenset({"const", "enum", "default", "required", "examples"})
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "definitions"})


@dataclass(frozen=True, slots=True)
class Payload:
    """`schema`: of the data; `parts`: the definitions that it refers to, by their names among the components."""

    schema: Mapping[str, Any]
    parts: Mapping[str, Any]


def payload_of(row: EventVersion, name: str) -> Payload:
    """Return the schema of a version's data. `name`: of its message, so that no two messages share a part."""
    made = _Written(name)
    schema = json.loads(row.schema)
    definitions = schema.pop("$defs", {})
    schema.pop("$schema", None)
    whole = made.node(schema)
    parts = {f"{name}.{part}": made.node(each) for part, each in definitions.items()}
    ends = {} if row.life == "active" else {"deprecated": True}
    return Payload({**whole, **ends}, parts)


@dataclass(frozen=True, slots=True)
class _Written:
    name: str

    def node(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.node(each) for each in node]
        if not isinstance(node, Mapping):
            return node
        made = {name: self._member(name, value) for name, value in node.items()}
        if "prefixItems" in made:  # a tuple, as draft 07 says it
            rest = {"additionalItems": made.pop("items")} if "items" in made else {}
            made |= {"items": made.pop("prefixItems"), **rest}
        target = made.pop("$ref", None)
        if not isinstance(target, str):
            return made
        reference = {"$ref": f"#/components/schemas/{self.name}.{target.removeprefix(_REF)}"}
        # Beside a reference draft 07 reads nothing.
        return {"allOf": [reference], **made} if made else reference

    def _member(self, name: str, value: Any) -> Any:
        if name in _VALUES:
            return value
        if name in _MAPS and isinstance(value, Mapping):
            return {key: self.node(inner) for key, inner in value.items()}
        return self.node(value)
