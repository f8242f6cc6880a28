"""The AsyncAPI 3.0 document: a channel for each event type, a message for each version, what each service does now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tidings.events.media import JSON
from tidings.faces.payloads import Payload, payload_of
from tidings.store.versions import EventVersion
from tidings.versions.census import Census
from tidings.versions.marks import schema_uri
from tidings.versions.reasons.names import second_of

Object = dict[str, Any]

ASYNCAPI = "3.0.0"
_ABOUT = (
    "Events are CloudEvents 1.0 in binary mode: attributes are headers, the data is the payload. A channel is an event "
    "type, a message one version of it. Operations are what services that run now say that they emit and accept."
)
_ACTIONS: Mapping[str, str] = {"emit": "send", "accept": "receive"}
_TEXT: Object = {"type": "string", "minLength": 1}
_KEY: Object = {
    "type": "http",
    "scheme": "bearer",
    "description": "The token of an API key. A server that has none answers programs on its own machine only.",
}


def asyncapi_document(known: Census, *, base: str, release: str) -> Object:
    """Return the document of everything that is registered. `base`: the absolute URL of the API; `release`: of tidings.

    It changes when a version, its state, or what a running service emits or accepts does; never with what is appended.
    """
    payloads = {name_of(row): payload_of(row, name_of(row)) for row in known.versions}
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": "tidings", "version": release, "description": _ABOUT},
        "defaultContentType": JSON,
        "servers": {"api": _server(base)},
        "channels": {type: _channel(known, type) for type in types_of(known)},
        "operations": dict(_operations(known)),
        "components": {
            "messages": {name_of(row): _message(row, payloads[name_of(row)], base) for row in known.versions},
            "schemas": {name: part for each in payloads.values() for name, part in each.parts.items()},
            "securitySchemes": {"key": dict(_KEY)},
        },
    }


def types_of(known: Census) -> list[str]:
    """Return the event types that are registered, sorted."""
    return sorted({each.type for each in known.versions})


def name_of(row: EventVersion) -> str:
    """Return the name of a version's message."""
    return f"{row.type}.v{row.version}"


def said_by_services(known: Census) -> Mapping[tuple[str, str, str], tuple[int, ...]]:
    """Return by service, type and role (accept, emit) the registered versions that its running instances name."""
    found: dict[tuple[str, str, str], set[int]] = {}
    for each in (*known.live("accept"), *known.live("emit")):
        if each.service:
            versions = found.setdefault((each.service, each.type, each.role), set())
            versions |= known.of_type(each.type).keys() & set(each.versions)
    return {key: tuple(sorted(versions)) for key, versions in sorted(found.items()) if versions}


def _server(base: str) -> Object:
    parts = urlsplit(base)
    path = {"pathname": parts.path} if parts.path else {}
    security = [{"$ref": "#/components/securitySchemes/key"}]
    told = "Events in by PUT and POST, out by GET, as a stream, or to endpoints."
    return {"host": parts.netloc, "protocol": parts.scheme, **path, "description": told, "security": security}


def _channel(known: Census, type: str) -> Object:
    rows = known.of_type(type)
    owner = next((rows[number].owner for number in sorted(rows, reverse=True) if rows[number].owner), "")
    told = f"{owner} emits it." if owner else "No service says that it emits it: it comes from outside."
    return {
        "address": type,
        "description": told,
        "messages": {f"v{number}": _ref("components", "messages", name_of(rows[number])) for number in sorted(rows)},
    }


def _operations(known: Census) -> Iterable[tuple[str, Object]]:
    for (service, type, role), versions in said_by_services(known).items():
        action = _ACTIONS[role]
        messages = [_ref("channels", type, "messages", f"v{number}") for number in versions]
        operation = {"action": action, "channel": _ref("channels", type), "messages": messages}
        yield f"{service}.{action}.{type}", {**operation, "tags": [{"name": service}]}


def _message(row: EventVersion, payload: Payload, base: str) -> Object:
    uri = schema_uri(base, row.type, row.version)
    ends = {
        name: second_of(time)
        for name, time in (("x-tidings-deprecated", row.deprecated), ("x-tidings-sunset", row.sunset))
        if time is not None
    }
    migration = {"x-tidings-migration": row.migration} if row.migration else {}
    return {
        "name": row.type,
        "title": f"{row.type} {row.version}",
        "contentType": JSON,
        "correlationId": {"location": "$message.header#/ce-correlationid"},
        "headers": _headers(row, uri),
        "payload": payload.schema,
        "externalDocs": {"description": "The JSON Schema (2020-12) as it is kept.", "url": uri},
        "x-tidings-version": row.version,
        "x-tidings-state": row.life,
        "x-tidings-gate": row.gate,
        **ends,
        **migration,
    }


def _headers(row: EventVersion, uri: str) -> Object:
    attributes: Object = {
        "ce-specversion": {"type": "string", "const": "1.0"},
        "ce-id": {**_TEXT, "maxLength": 256, "description": "Unique within the source, for ever."},
        "ce-source": {**_TEXT, "maxLength": 1024, "format": "uri-reference"},
        "ce-type": {"type": "string", "const": row.type},
        "ce-dataversion": {"type": "integer", "const": row.version},
        "ce-subject": {**_TEXT, "maxLength": 1024, "description": "What it is about; order is kept per subject."},
        "ce-time": {"type": "string", "format": "date-time", "description": "When it happened."},
        "ce-dataschema": {"type": "string", "format": "uri", "examples": [uri]},
        "ce-correlationid": {**_TEXT, "maxLength": 256},
        "ce-causationid": {**_TEXT, "maxLength": 256, "description": "The id of the event that caused it."},
    }
    # A publisher may leave the version of a type's first one out.
    needed = ["ce-specversion", "ce-id", "ce-source", "ce-type"]
    needed += ["ce-dataversion"] if row.version != 1 else []
    return {"type": "object", "properties": attributes, "required": needed}


def _ref(*path: str) -> Object:
    return {"$ref": "#/" + "/".join(path)}
