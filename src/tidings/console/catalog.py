"""The AsyncAPI document as people read it: services, event types, and the messages of each with their schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tidings.console.members import ROWS_MOST, members_of
from tidings.console.visit import Visit
from tidings.errors import NotFoundError
from tidings.faces.asyncapi import said_by_services, types_of
from tidings.operations.census import census
from tidings.store.versions import EventVersion
from tidings.versions.census import Census
from tidings.versions.marks import schema_uri


async def every(visit: Visit) -> Response:
    """Show all services and types."""
    visit.query(())
    known = await census(visit.opened.store)
    said = said_by_services(known)
    services: dict[str, dict[str, list[tuple[str, tuple[int, ...]]]]] = {}
    for (service, type, role), versions in said.items():
        services.setdefault(service, {"emit": [], "accept": []})[role].append((type, versions))
    return await visit.show(
        "catalog.html",
        services=services,
        channels=[_channel(known, type, said) for type in types_of(known)],
        api=_api(visit),
    )


async def one(visit: Visit) -> Response:
    """Show one type with the messages of all its versions, the newest first."""
    visit.query(())
    type = visit.segment("type")
    known = await census(visit.opened.store)
    rows = known.of_type(type)
    if not rows:
        raise NotFoundError("event type", type, {each.type for each in known.versions})
    said = said_by_services(known)
    doing = [(service, role, versions) for (service, of, role), versions in said.items() if of == type]
    return await visit.show(
        "catalog_of.html",
        channel=_channel(known, type, said),
        messages=[_message(rows[number], visit) for number in sorted(rows, reverse=True)],
        doing=doing,
        most=ROWS_MOST,
        api=_api(visit),
    )


def _channel(known: Census, type: str, said: Mapping[tuple[str, str, str], object]) -> dict[str, Any]:
    rows = known.of_type(type)
    emitters = [service for service, of, role in said if (of, role) == (type, "emit")]
    return {"type": type, "emitters": emitters, "rows": [rows[number] for number in sorted(rows)]}


def _message(row: EventVersion, visit: Visit) -> dict[str, Any]:
    schema = json.loads(row.schema)
    parts = [(name, members_of({**each, "$defs": schema["$defs"]})) for name, each in schema.get("$defs", {}).items()]
    document = schema_uri(_api(visit), row.type, row.version)
    return {"row": row, "members": members_of(schema), "parts": parts, "document": document}


def _api(visit: Visit) -> str:
    """Return the path of the API, which the console is mounted below."""
    return visit.root.rpartition("/")[0]
