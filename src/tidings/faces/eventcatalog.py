"""Events and services as a folder of EventCatalog: a page for each version with its schema, and for each service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidings.faces.asyncapi import said_by_services, types_of
from tidings.faces.schemas import schema_document
from tidings.store.versions import EventVersion
from tidings.versions.census import Census
from tidings.versions.reasons.names import second_of

SCHEMA = "schema.json"
_MEMBERS: Mapping[str, str] = {"emit": "sends", "accept": "receives"}
_NO_RELEASE = "1.0.0"
"""A service has no version of its own here, and EventCatalog wants one."""


def eventcatalog_files(known: Census, *, base: str) -> dict[str, str]:
    """Return the text of each file by its path in the catalog's folder. `base`: the URL of the API, for `$id`."""
    found: dict[str, str] = {}
    for type in types_of(known):
        rows = known.of_type(type)
        newest = max(rows)
        for number, row in sorted(rows.items()):
            folder = f"events/{type}" if number == newest else f"events/{type}/versioned/{semantic(number)}"
            found[f"{folder}/index.mdx"] = _event(row, newest)
            found[f"{folder}/{SCHEMA}"] = json.dumps(schema_document(row, base), indent=2, ensure_ascii=False) + "\n"
    return found | dict(_services(known))


def semantic(version: int) -> str:
    """Return a version as EventCatalog has one, whose ranges are those of semantic versioning."""
    return f"{version}.0.0"


def _event(row: EventVersion, newest: int) -> str:
    head: dict[str, Any] = {"id": row.type, "name": row.type, "version": semantic(row.version), "schemaPath": SCHEMA}
    if row.life != "active":
        head["deprecated"] = _deprecated(row, newest) or True
    return _page(head, f"## Version {row.version}\n\n<NodeGraph />\n\n<SchemaViewer file={json.dumps(SCHEMA)} />\n")


def _deprecated(row: EventVersion, newest: int) -> Mapping[str, str]:
    """Return since when it is deprecated and why; nothing if nobody said when."""
    if row.deprecated is None:
        return {}
    told = f"Version {newest} takes its place." if newest > row.version else "It ends."
    if row.sunset is not None:
        told += f" It is taken until {second_of(row.sunset)}."
    if row.migration:
        told += f" Read on at {row.migration}"
    return {"date": second_of(row.deprecated)[:10], "message": told}


def _services(known: Census) -> Iterator[tuple[str, str]]:
    named: dict[str, dict[str, list[Mapping[str, str]]]] = {}
    for (service, type, role), versions in said_by_services(known).items():
        said = [{"id": type, "version": semantic(number)} for number in versions]
        named.setdefault(service, {}).setdefault(_MEMBERS[role], []).extend(said)
    for service, members in sorted(named.items()):
        head: dict[str, Any] = {"id": service, "name": service, "version": _NO_RELEASE, **members}
        yield f"services/{service}/index.mdx", _page(head, "<NodeGraph />\n")


def _page(head: Mapping[str, Any], body: str) -> str:
    return "---\n" + "".join(_lines(head)) + f"---\n\n{body}"


def _lines(head: Mapping[str, Any], behind: str = "") -> Iterator[str]:
    """Yield the head as YAML, whose texts in quotes are those of JSON."""
    for name, value in head.items():
        if isinstance(value, Mapping):
            yield f"{behind}{name}:\n"
            yield from _lines(value, f"{behind}  ")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield f"{behind}{name}:\n"
            for each in value:
                inner = [f"{key}: {json.dumps(text, ensure_ascii=False)}\n" for key, text in each.items()]
                yield f"{behind}  - " + f"{behind}    ".join(inner)
        else:
            yield f"{behind}{name}: {json.dumps(value, ensure_ascii=False)}\n"
