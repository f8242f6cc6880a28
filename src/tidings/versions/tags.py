"""What a schema says of values and a validator never asserts: it is compared as if it were a type of its own.

A base64 string and any other string cover each other, and so do two private formats. Here each becomes an object with
one member, named after what was said, so that another saying is another type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidings.versions.engine import Schema

_SAID = ("contentEncoding", "contentMediaType", "x-tidings-type", "format")
ASSERTED = frozenset(
    {
        *("date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6"),
        *("uri", "uri-reference", "iri", "iri-reference", "uri-template", "uuid", "regex"),
        *("json-pointer", "relative-json-pointer"),
    }
)
"""The formats that are asserted (JSON Schema 2020-12, Validation, 7.3)."""
_KEPT = ("$defs", "default", "title", "description", "const", "enum", "examples")
_TAG = "~"


def tagged(schema: Schema) -> Schema:
    """Return the schema with every such saying as a type."""
    found: Schema = _walked(schema)
    return found


def untagged(value: Any) -> Any:
    """Return a value that is valid for a tagged schema as one that was meant."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)).startswith(_TAG):
            return untagged(next(iter(value.values())))
        return {name: untagged(inner) for name, inner in value.items()}
    return [untagged(inner) for inner in value] if isinstance(value, list) else value


def _walked(node: Any) -> Any:
    if isinstance(node, list):
        return [_walked(inner) for inner in node]
    if not isinstance(node, Mapping):
        return node
    walked = {
        name: inner if name in _KEPT and name != "$defs" else _inside(name, inner) for name, inner in node.items()
    }
    said = {name: node[name] for name in _SAID if isinstance(node.get(name), str) and _is_said(name, node[name])}
    if not said:
        return walked
    tag = _TAG + " ".join(f"{name}={value}" for name, value in sorted(said.items()))
    inner = {name: value for name, value in walked.items() if name not in said and name not in _KEPT}
    around = {name: value for name, value in walked.items() if name in ("default", "$defs")}
    return {**around, "type": "object", "properties": {tag: inner}, "required": [tag], "additionalProperties": False}


def _inside(name: str, value: Any) -> Any:
    if name in ("properties", "patternProperties", "$defs", "dependentSchemas") and isinstance(value, Mapping):
        return {key: _walked(inner) for key, inner in value.items()}
    return _walked(value)


def _is_said(name: str, value: str) -> bool:
    return name != "format" or value not in ASSERTED
