"""The JSON Schema (2020-12) of one version of an event, as it is compared and kept: what its writers write.

It holds no name of a class and no text of its author's, so that neither changes it: definitions stand where they are
used, but for those that refer to themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, get_args

import msgspec

from tidings.errors import DeclarationError
from tidings.events.declaration import declaration_of, is_pydantic
from tidings.versions.completing import INTEGER_KEY, NUMBER_KEY, completed
from tidings.versions.engine import Schema

OPEN_ENUM = "x-open-enum"
"""A promise of the readers: a value that they do not know has a fallback."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOTES = ("title", "description", "examples", "discriminator")
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_VALUES = ("const", "enum", "default", "required")
_REF = "#/$defs/"


def schema_of(cls: type) -> Schema:
    """Return the schema of what is written for this class; DeclarationError if there is none.

    A time is a `date-time`, with an offset. What a validator never asserts is said in `x-tidings-type`: `bytes`,
    `decimal`, `time` and `local-date-time` if they have no offset. A member whose class says nothing about its form
    may be any value.
    """
    try:
        made = _of_pydantic(cls) if is_pydantic(cls) else completed(cls, msgspec.json.schema(cls, schema_hook=_any))
    except (TypeError, ValueError, NameError, LookupError) as error:
        raise DeclarationError(f"{cls.__module__}.{cls.__qualname__} has no JSON Schema: {error}") from error
    whole = _Plain(made).whole()
    known = declaration_of(cls)
    for name in known.open_enums if known else ():
        whole.get("properties", {}).get(name, {})[OPEN_ENUM] = True
    return {"$schema": DIALECT, **whole}


def names_in(schema: Schema) -> frozenset[str] | None:
    """Return the members that the data of this schema may have at its top; None if they are not told by it."""
    node = resolved(schema, schema)
    if not isinstance(node.get("properties"), Mapping):
        return None
    if node.get("additionalProperties", False) is not False or node.keys() & {"patternProperties", "allOf", "anyOf"}:
        return None
    return frozenset(node["properties"])


def resolved(node: Any, root: Schema) -> Mapping[str, Any]:
    """Return what stands there, with references to the definitions of `root` followed."""
    for _ in range(100):
        if not isinstance(node, Mapping):
            return {}
        target = node.get("$ref")
        if not isinstance(target, str):
            return node
        node = root.get("$defs", {}).get(target.removeprefix(_REF))
    return {}


def _of_pydantic(cls: Any) -> dict[str, Any]:
    from pydantic.json_schema import GenerateJsonSchema  # whoever gives a model has it; others need not

    class Keyed(GenerateJsonSchema):
        """Says what the keys of a map are where they are numbers, too."""

        def dict_schema(self, schema: Any) -> dict[str, Any]:
            made = super().dict_schema(schema)
            names = {"int": INTEGER_KEY, "float": NUMBER_KEY}.get(schema.get("keys_schema", {}).get("type"))
            return {**made, "propertyNames": dict(names)} if names else made

    made: dict[str, Any] = cls.model_json_schema(mode="serialization", schema_generator=Keyed)
    members = made.get("properties", {})
    for name, field in cls.model_fields.items():
        if Decimal in (field.annotation, *get_args(field.annotation)):
            _mark_decimal(members.get(field.serialization_alias or field.alias or name, {}))
    return made


def _mark_decimal(node: dict[str, Any]) -> None:
    for each in (node, *node.get("anyOf", ())):
        if each.get("type") == "string":
            each["format"] = "decimal"


def _any(_: type) -> dict[str, Any]:
    return {}


def check_whole(type: str, version: int, schema: Schema) -> None:
    """DeclarationError for a schema that refers to what is not in it: nothing is fetched, by nobody."""
    elsewhere = sorted({each for each in _references(schema) if not each.startswith("#")})
    if elsewhere:
        raise DeclarationError(
            f"{type} version {version}: its schema refers to {elsewhere[0]!r:.200}, which is not in it: put what that "
            "says into the schema itself"
        )


class _Plain:
    """Writes a schema without names: each definition in the place of its reference, unless it is inside of itself."""

    def __init__(self, made: Mapping[str, Any]) -> None:
        self._made = made
        self._definitions: Mapping[str, Any] = made.get("$defs", {})
        self._circular = {name for name in self._definitions if self._reaches(name)}
        self._named: dict[str, str] = {}
        self._kept: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        body = self._node({name: value for name, value in self._made.items() if name != "$defs"})
        return {**body, "$defs": dict(sorted(self._kept.items()))} if self._kept else body

    def _node(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._node(each) for each in node]
        if not isinstance(node, Mapping):
            return node
        target = node.get("$ref")
        if isinstance(target, str) and target.startswith(_REF):
            return self._reference(target.removeprefix(_REF), node)
        return _said({name: self._member(name, value) for name, value in node.items() if name not in _NOTES})

    def _member(self, name: str, value: Any) -> Any:
        if name in _VALUES:
            return sorted(value) if name == "required" else value
        if name in _MAPS and isinstance(value, Mapping):
            return {key: self._node(inner) for key, inner in value.items()}
        return self._node(value)

    def _reference(self, name: str, node: Mapping[str, Any]) -> Any:
        beside = {key: self._member(key, value) for key, value in node.items() if key not in (*_NOTES, "$ref")}
        if name not in self._circular:
            return {**self._node(self._definitions[name]), **beside}
        if name not in self._named:
            self._named[name] = made = f"part{len(self._named) + 1}"
            self._kept[made] = None
            self._kept[made] = self._node(self._definitions[name])
        return {"$ref": _REF + self._named[name], **beside}

    def _reaches(self, name: str) -> bool:
        seen: set[str] = set()
        waiting = list(_named_in(self._definitions[name]))
        while waiting:
            found = waiting.pop()
            if found == name:
                return True
            if found not in seen and found in self._definitions:
                seen.add(found)
                waiting += _named_in(self._definitions[found])
        return False


def _named_in(node: Any) -> Iterator[str]:
    return (each.removeprefix(_REF) for each in _references(node))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        yield from (node[name] for name in ("$ref", "$dynamicRef") if isinstance(node.get(name), str))
        for name, inner in node.items():
            if name not in _VALUES:
                yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def _said(node: dict[str, Any]) -> dict[str, Any]:
    """Say what bytes and decimals are in a word of its own."""
    if node.get("contentEncoding") == "base64" or node.get("format") == "binary":
        return {**{key: value for key, value in node.items() if key != "format"}, "x-tidings-type": "bytes"}
    if node.get("format") == "decimal":
        return {**{key: value for key, value in node.items() if key != "format"}, "x-tidings-type": "decimal"}
    return node
