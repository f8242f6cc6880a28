"""The one door to jsonschema-rs: schemas as sets of JSON values, and what can be said of two of them.

Its interface is young, so that it is pinned tightly and every call here has a test of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import jsonschema_rs
from jsonschema_rs import CanonicalSchema

from tidings.errors import DeclarationError

Schema: TypeAlias = Mapping[str, Any]
Answer = Literal["yes", "no", "unknown"]


def canon(schema: Schema) -> CanonicalSchema:
    """Return a JSON Schema (2020-12) in the form that is compared. Formats are asserted, nothing is fetched.

    DeclarationError if it is none, or refers to what is not in it.
    """
    try:
        return jsonschema_rs.canonicalize(
            dict(schema), draft=jsonschema_rs.Draft202012, validate_formats=True, offline=True
        )
    except (ValueError, TypeError) as error:  # all of the engine's errors are one of them
        raise DeclarationError(f"a schema cannot be read: {error}") from error


def covers(reader: Schema, writer: Schema) -> Answer:
    """Say whether the reader takes every value that the writer can write; only `yes` proves something."""
    return str(canon(reader).covers(canon(writer)))  # type: ignore[return-value]


def can_be_met(schema: Schema) -> Answer:
    """Say whether there is a value at all that is valid."""
    return str(canon(schema).satisfiability())  # type: ignore[return-value]


def refused(reader: Schema, writer: Schema) -> Schema | None:
    """Return the schema of what the writer can write and the reader does not take; None if it cannot be told."""
    try:
        left = canon(writer).subtract(canon(reader)).to_json_schema()
    except ValueError:
        return None
    return left if isinstance(left, dict) else None


def is_valid(schema: Schema, value: Any) -> bool:
    """Say whether a value is valid, formats asserted. DeclarationError."""
    return _validator(schema).is_valid(value)


def problems(schema: Schema, data: bytes) -> list[tuple[str, str]]:
    """Return what is wrong with JSON data: a JSON pointer (RFC 6901) and a sentence each; formats asserted.

    DeclarationError."""
    found = _validator(schema).iter_errors(json.loads(data))
    return [("".join(f"/{step}" for step in each.instance_path), each.message) for each in found]


def _validator(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    """Return what validates by a schema. Left to itself it would ask the network for what is not in it."""
    try:
        return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True, offline=True)
    except ValueError as error:
        raise DeclarationError(f"a schema cannot be read: {str(error).splitlines()[0]}") from error
