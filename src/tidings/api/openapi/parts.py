"""The building stones of an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidings.api.problems import MEDIA_TYPE, Problem

Object = dict[str, Any]


def ref(kind: str, name: str) -> Object:
    """Return a reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def schema(name: str) -> Object:
    """Return a reference to a schema."""
    return ref("schemas", name)


def record(properties: Mapping[str, Any], *, optional: Iterable[str] = (), **more: Any) -> Object:
    """Return the schema of an object with these members and no others; all are there but the optional ones."""
    left_out = set(optional)
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
        **more,
    }


def array(items: Any, **more: Any) -> Object:
    """Return the schema of an array."""
    return {"type": "array", "items": items, **more}


def parameter(where: str, name: str, described: str, of: Object, **more: Any) -> Object:
    """Return a parameter; one in a path is required."""
    required = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, "description": described, "schema": of, **required, **more}


def response(described: str, content: Mapping[str, Any] | None = None, headers: Iterable[str] = ()) -> Object:
    """Return a response: its media types with their schemas, and the names of its headers, which are components."""
    answer: Object = {"description": described}
    if content:
        answer["content"] = {media_type: {"schema": of} for media_type, of in content.items()}
    named = {name: ref("headers", name) for name in headers}
    if named:
        answer["headers"] = named
    return answer


def problems(*kinds: Problem) -> dict[str, Object]:
    """Return the responses that say what was wrong, by status; each lists the problem types it may have."""
    by_status: dict[int, list[Problem]] = {}
    for kind in sorted(kinds, key=lambda kind: kind.status):
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _problem(found) for status, found in by_status.items()}


def _problem(kinds: list[Problem]) -> Object:
    types = {"properties": {"type": {"enum": [kind.type for kind in kinds]}}}
    headers = [
        *(["Retry-After"] if any(kind.retry_after is not None for kind in kinds) else []),
        *(["WWW-Authenticate"] if Problem.UNAUTHENTICATED in kinds else []),
        *(["Allow"] if Problem.METHOD_NOT_ALLOWED in kinds else []),
        *(["Tidings-Position", "Preference-Applied"] if Problem.POSITION_NOT_REACHED in kinds else []),
    ]
    told = "; ".join(f"`{kind.slug}`: {kind.title[0].lower()}{kind.title[1:]}" for kind in kinds)
    return response(told, {MEDIA_TYPE: {"allOf": [schema("Problem"), types]}}, headers)


def if_none_match() -> Object:
    """Return the header by which a client says what it has."""
    return parameter("header", "If-None-Match", "The ETag of what you have.", {"type": "string"})
