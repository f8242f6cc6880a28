"""What data leaves out, as the instance has it that was read from it. What was given stays: a class may round it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import msgspec

from tidings.events.codec import encode_json
from tidings.events.declaration import is_pydantic

_exact = msgspec.json.Decoder(float_hook=Decimal).decode


def filled(given: Any, had: Any) -> Any:
    """Return the JSON value with the members that it leaves out. InvalidDataError if one has no form in JSON."""
    if given.__class__ is dict:
        members = _members(had)
        added = {name: _plain(value) for name, value in members.items() if name not in given}
        return {**added, **{name: filled(value, members.get(name)) for name, value in given.items()}}
    if given.__class__ is list and isinstance(had, list | tuple) and len(given) == len(had):
        return [filled(*pair) for pair in zip(given, had, strict=True)]
    return given


def _members(had: Any) -> Mapping[str, Any]:
    """Return the members of an object by their names in JSON. msgspec writes no default of a dataclass that it read."""
    if isinstance(had, dict):
        return had
    if isinstance(had, msgspec.Struct):
        named = {each.encode_name: getattr(had, each.name) for each in msgspec.structs.fields(had)}
    elif is_pydantic(type(had)):
        named = msgspec.json.decode(encode_json(had))
    elif is_dataclass(had):
        named = {each.name: getattr(had, each.name) for each in fields(had)}
    else:
        named = {each.name: getattr(had, each.name) for each in getattr(had, "__attrs_attrs__", ())}
    return {name: value for name, value in named.items() if value is not msgspec.UNSET}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    members = _members(value)
    return {name: _plain(each) for name, each in members.items()} if members else _exact(encode_json(value))
