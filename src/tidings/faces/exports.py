"""What is registered of events, as files for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from tidings.faces.asyncapi import asyncapi_document
from tidings.faces.eventcatalog import eventcatalog_files
from tidings.faces.schemas import schema_document
from tidings.versions.census import Census

Form = Literal["asyncapi", "eventcatalog", "jsonschema"]


def exported(known: Census, form: Form, *, base: str, release: str) -> Mapping[str, str]:
    """Return the text of each file by its path. `base`: the absolute URL of the API; `release`: of tidings."""
    if form == "asyncapi":
        return {"asyncapi.json": _text(asyncapi_document(known, base=base, release=release))}
    if form == "eventcatalog":
        return eventcatalog_files(known, base=base)
    return {f"{row.type}/{row.version}.json": _text(schema_document(row, base)) for row in known.versions}


def _text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
