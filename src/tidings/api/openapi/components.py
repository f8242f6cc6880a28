"""The schemas, headers and parameters that the operations share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tidings.api.openapi.parts import Object, array, parameter, record, schema
from tidings.api.problems import TYPE_BASE, Problem
from tidings.events.catalog import Catalog
from tidings.events.rules import ATTRIBUTES_BYTES_MAX
from tidings.store.rows import Column, ColumnKind
from tidings.views.declaration import ViewSpec

_TEXT: Object = {"type": "string"}
_TOKEN: Object = {
    "type": "string",
    "pattern": "^.+-[0-9]+$",
    "description": "Where something stands in the log. Opaque: hand it back as you got it.",
    "examples": ["k3f9a1c2-18442"],
}
_TIME: Object = {"type": "string", "format": "date-time"}
_COLUMN_TYPES: Mapping[ColumnKind, Object] = MappingProxyType(
    {
        "text": _TEXT,
        "integer": {"type": "integer", "format": "int64"},
        "real": {"type": "number"},
        "boolean": {"type": "boolean"},
        "blob": {"type": "string", "contentEncoding": "base64"},
        "time": _TIME,
        "decimal": {"type": "string", "description": "A decimal number."},
        "json": {},
    }
)

HEADERS: Mapping[str, Object] = MappingProxyType(
    {
        "Tidings-Position": {
            "schema": schema("Token"),
            "description": "The position that the answer reflects; of `position-not-reached`, how far it has come.",
        },
        "Tidings-Incomplete": {
            "schema": {"type": "string", "pattern": "^dead-letters=[0-9]+$"},
            "description": "The view has reached the position asked for; so many entries up to it are dead letters.",
        },
        "Tidings-As-Of": {
            "schema": _TEXT,
            "description": "The view is a copy of what a provider lists: up to when its states are proved to be right, "
            "with `delete`, up to when what is absent is, and `exceptions`, of how many items nothing is said.",
        },
        "Preference-Applied": {"schema": _TEXT, "description": "`wait=N`, if the preference was heeded."},
        "Idempotency-Replayed": {
            "schema": {"const": "true"},
            "description": "This is the answer to an earlier request under the key.",
        },
        "Location": {"schema": {"type": "string", "format": "uri-reference"}, "description": "Where the event is."},
        "Deprecation": {"schema": _TEXT, "description": "The version is deprecated since then (RFC 9745)."},
        "Sunset": {"schema": _TEXT, "description": "When the version ends, or ended (RFC 8594)."},
        "Link": {
            "schema": _TEXT,
            "description": "Where to read on: `deprecation`, `sunset`, and the schema of the `successor-version`.",
        },
        "Tidings-Version-Warning": {"schema": _TEXT, "description": "The version was not open, and kept all the same."},
        "ETag": {"schema": _TEXT, "description": "Changes whenever the representation does."},
        "Retry-After": {"schema": {"type": "integer"}, "description": "After how many seconds to ask again."},
        "WWW-Authenticate": {"schema": _TEXT, "description": "`Bearer`."},
        "Allow": {"schema": _TEXT, "description": "The methods that the path has."},
    }
)

PARAMETERS: Mapping[str, Object] = MappingProxyType(
    {
        "MinPosition": parameter(
            "header", "Tidings-Min-Position", "Answer from the state at this position or later.", schema("Token")
        ),
        "Wait": parameter(
            "header",
            "Prefer",
            "`wait=N`: wait up to N seconds, at most 30, for the state asked for, or for the next entry.",
            _TEXT,
        ),
        "ExpectedPosition": parameter(
            "header", "Tidings-Expected-Position", "Refuse if the subject has an entry after this one.", schema("Token")
        ),
        "Key": parameter(
            "header",
            "Idempotency-Key",
            "Names the request, so that a repeat is answered as the first one was, and does nothing.",
            {"type": "string", "minLength": 1, "maxLength": 257},
        ),
        "After": parameter("query", "after", "The `next` of the page before; without it from the start.", _TEXT),
        "Limit": parameter(
            "query",
            "limit",
            "How many to answer at most.",
            {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        ),
        "Source": parameter("path", "source", "The source, percent-encoded: `/` is `%2F`.", _TEXT),
        "Id": parameter("path", "id", "The id, percent-encoded: `/` is `%2F`.", _TEXT),
    }
)


def shared_schemas() -> dict[str, Object]:
    """Return the schemas that are the same for every application."""
    return {
        "Token": _TOKEN,
        "Problem": _problem(),
        "Result": record(
            {
                "source": _TEXT,
                "id": _TEXT,
                "position": schema("Token"),
                "outcome": {"enum": ["appended", "duplicate"]},
            },
            description="What became of one event: kept now, or kept already at that position.",
        ),
        "Results": record({"results": array(schema("Result"))}),
        "Event": _event(),
        "Entry": record({"position": schema("Token"), "event": schema("Event")}),
        "Page": record(
            {"entries": array(schema("Entry")), "next": schema("Token"), "head": schema("Token")},
            description="`next` is always there, also when nothing matched: everything up to it has been answered.",
        ),
        "Views": record({"views": array(schema("View"))}),
        "View": record(
            {
                "service": _TEXT,
                "view": _TEXT,
                "mode": {"enum": ["async", "inline", "live"]},
                "version": {"type": "integer"},
                "key": array(_TEXT),
                "columns": array(
                    record({"name": _TEXT, "kind": {"enum": sorted(_COLUMN_TYPES)}, "nullable": {"type": "boolean"}})
                ),
                "types": array(_TEXT, description="The event types that are folded into it."),
            }
        ),
        "Health": record({"status": {"const": "ok"}, "checks": array(_TEXT)}),
    }


def event_schemas(catalog: Catalog) -> dict[str, Object]:
    """Return the schema of each declared event's data, by component name."""
    found: dict[str, Object] = {}
    for type, version in catalog.types():
        name = event_name(type, version)
        found[name] = _moved(catalog.json_schema(type, version), f"#/components/schemas/{name}/$defs/")
    return found


def event_name(type: str, version: int) -> str:
    """Return the component name of an event's data; a hash keeps apart types with other letters."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", type)
    mark = "" if plain == type else "-" + hashlib.sha256(type.encode()).hexdigest()[:8]
    return f"event.{plain}{mark}.v{version}"


def row_name(view: ViewSpec) -> str:
    """Return the component name of a view's row."""
    return f"row.{view.service}.{view.name}"


def row_schema(view: ViewSpec) -> Object:
    """Return the schema of a view's row."""
    return record({column.name: column_schema(column) for column in view.columns})


def column_schema(column: Column) -> Object:
    """Return the schema of a column's values."""
    of = _COLUMN_TYPES[column.kind]
    return {"anyOf": [of, {"type": "null"}]} if column.nullable and of else of


def _problem() -> Object:
    return {
        "type": "object",
        "description": "What was wrong (RFC 9457). Clients branch on `type`.",
        "properties": {
            "type": {"enum": [problem.type for problem in Problem], "description": f"`{TYPE_BASE}` and the slug."},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "instance": _TEXT,
            "code": {**_TEXT, "description": "What is wrong with an event pattern in the query, such as bad-range."},
            "errors": array(
                record({"pointer": {"type": "string", "format": "json-pointer"}, "detail": _TEXT}),
                description="The parts of the body at fault.",
            ),
        },
        "required": ["type", "title", "status", "detail", "instance"],
    }


def _event() -> Object:
    return {
        "type": "object",
        "description": "A CloudEvent 1.0 in the JSON format. Other members are extension attributes, at most "
        f"{ATTRIBUTES_BYTES_MAX // 1024} KiB of attributes in all.",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "minLength": 1, "maxLength": 256},
            "source": {"type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 1024},
            "type": {"type": "string", "minLength": 1, "maxLength": 255},
            "dataversion": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1, "default": 1},
            "subject": {"type": "string", "minLength": 1, "maxLength": 1024},
            "time": _TIME,
            "recordedtime": _TIME | {"description": "When it was kept."},
            "sequence": {"type": "string", "description": "Its place in the log, unless its publisher gave one."},
            "datacontenttype": {"type": "string", "maxLength": 255},
            "dataschema": {"type": "string", "format": "uri", "maxLength": 1024},
            "correlationid": {"type": "string", "maxLength": 256},
            "causationid": {"type": "string", "maxLength": 256},
            "data": {},
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
        "required": ["specversion", "source", "type"],
        "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
    }


def _moved(part: Any, to: str) -> Any:
    """Return a schema whose references lead to the place where it stands in the document."""
    if isinstance(part, dict):
        return {
            name: to + value.removeprefix("#/$defs/")
            if name == "$ref" and isinstance(value, str)
            else _moved(value, to)
            for name, value in part.items()
        }
    return [_moved(item, to) for item in part] if isinstance(part, list) else part
