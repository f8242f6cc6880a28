"""The JSON Schema of each version under a URI of its own, which `dataschema` names and `$id` says."""

from __future__ import annotations

import json
from typing import Any

from tidings.store.versions import EventVersion
from tidings.versions.marks import schema_uri

MEDIA_TYPE = "application/schema+json"


def schema_document(row: EventVersion, base: str) -> dict[str, Any]:
    """Return the schema (2020-12) with its URI in it. It says nothing that changes while the version does not."""
    schema = json.loads(row.schema)
    head = {"$schema": schema.pop("$schema", None), "$id": schema_uri(base, row.type, row.version)}
    return {**head, "title": f"{row.type} {row.version}", **schema}
