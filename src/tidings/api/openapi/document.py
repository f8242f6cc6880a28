"""The API's own description, OpenAPI 3.1: made from what the application declares, so that it cannot fall behind."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.api.openapi.components import HEADERS, PARAMETERS, event_schemas, row_name, row_schema, shared_schemas
from tidings.api.openapi.operations import event_paths, own_paths, view_paths
from tidings.api.openapi.parts import Object, problems
from tidings.api.problems import Problem
from tidings.events.catalog import Catalog
from tidings.views.declaration import ViewSpec

_ABOUT = (
    "Events in by CloudEvents 1.0, views out. Every append answers a position; every read may ask for one. "
    "All errors are problem details. `components.responses` answer a path or a method that is not described here."
)


def describe(catalog: Catalog, views: Sequence[ViewSpec], *, version: str) -> Object:
    """Return the document; `version` is this package's own."""
    rows = {row_name(view): row_schema(view) for view in views}
    return {
        "openapi": "3.1.0",
        "info": {"title": "tidings", "version": version, "description": _ABOUT},
        "paths": event_paths(catalog) | view_paths(views) | own_paths(),
        "components": {
            "schemas": shared_schemas() | event_schemas(catalog) | rows,
            "headers": dict(HEADERS),
            "parameters": dict(PARAMETERS),
            "responses": {
                "UnknownPath": problems(Problem.NOT_FOUND)["404"],
                "OtherMethod": problems(Problem.METHOD_NOT_ALLOWED)["405"],
            },
        },
    }
