"""What msgspec leaves out of a schema: it calls a time a plain string unless its zone is annotated, and a map's keys
any text unless their length or form is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import inspect

INTEGER_KEY = {"pattern": "^-?(0|[1-9][0-9]*)$"}
NUMBER_KEY = {"pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"}
"""What text a number is as the key of a map, at least."""
_KINDS: tuple[tuple[type, str], ...] = (
    (inspect.DateTimeType, "string"),
    (inspect.TimeType, "string"),
    (inspect.CollectionType, "array"),
    (inspect.DictType, "object"),
    (inspect.StructType, "object"),
    (inspect.DataclassType, "object"),
    (inspect.TypedDictType, "object"),
)


def completed(cls: type, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the class with every time a `date-time`, and what keys of maps are; it is changed in place.

    What takes or writes times without an offset, which no format of JSON Schema is, says so in `x-tidings-type`.
    """
    _Completing(schema).walk(inspect.type_info(cls), schema)
    return schema


class _Completing:
    def __init__(self, root: dict[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = root.get("$defs", {})
        self._seen: set[type] = set()

    def walk(self, info: inspect.Type, node: Any) -> None:
        """Walk a type and the part of the schema that was made of it."""
        if isinstance(info, inspect.Metadata | inspect.CustomType):
            info = getattr(info, "type", info)
        if isinstance(info, inspect.UnionType):
            for each in info.types:
                for branch in self._branches(node):
                    self.walk(each, branch)
            return
        node = self._resolved(node)
        if not isinstance(node, dict) or not _fits(info, node):
            return
        if isinstance(info, inspect.DateTimeType):
            node.update({"x-tidings-type": "local-date-time"} if info.tz is False else {"format": "date-time"})
        elif isinstance(info, inspect.TimeType):
            node["x-tidings-type"] = "time"
        elif isinstance(info, inspect.CollectionType):
            self.walk(info.item_type, node.get("items"))
        elif isinstance(info, inspect.DictType):
            names = _names_of(info.key_type)
            node.update({"propertyNames": names} if names else {})
            self.walk(info.value_type, node.get("additionalProperties"))
        elif isinstance(info, inspect.StructType | inspect.DataclassType | inspect.TypedDictType):
            self._members(info, node)

    def _members(self, info: Any, node: dict[str, Any]) -> None:
        names = {field.encode_name for field in info.fields}
        members = node.get("properties", {})
        tag = {info.tag_field} if getattr(info, "tag_field", None) else set()
        if info.cls in self._seen or set(members) - tag != names:
            return
        self._seen.add(info.cls)
        for field in info.fields:
            self.walk(field.type, members[field.encode_name])

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            node = self._definitions.get(node["$ref"].removeprefix("#/$defs/"))
        return node

    def _branches(self, node: Any) -> Iterator[Any]:
        node = self._resolved(node)
        if isinstance(node, dict):
            yield node
            for name in ("anyOf", "oneOf"):
                yield from node.get(name, ())


def _names_of(info: inspect.Type) -> dict[str, Any]:
    """Return what the keys of a map are; nothing if any text is one, or msgspec says so itself."""
    if isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.EnumType):
        return {"enum": sorted(str(each.value) for each in info.cls)}
    if isinstance(info, inspect.LiteralType):
        return {"enum": sorted(map(str, info.values))}
    formed: tuple[tuple[type, dict[str, Any]], ...] = (
        (inspect.IntType, INTEGER_KEY),
        (inspect.FloatType, NUMBER_KEY),
        (inspect.DecimalType, NUMBER_KEY),
        (inspect.UUIDType, {"format": "uuid"}),
        (inspect.DateTimeType, {"format": "date-time"}),
        (inspect.DateType, {"format": "date"}),
    )
    return next((dict(names) for kind, names in formed if isinstance(info, kind)), {})


def _fits(info: inspect.Type, node: dict[str, Any]) -> bool:
    """Say whether this part can be that of the type: of strings in one union there is never more than one."""
    kind = next((kind for each, kind in _KINDS if isinstance(info, each)), None)
    plain = node.get("type")
    if kind == "string":
        return plain == "string" and not node.keys() & {"contentEncoding", "format"}
    return kind is not None and plain == kind
