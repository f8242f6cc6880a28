"""The API's own description, OpenAPI 3.1: made from what the application declares, so that it cannot fall behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidings.api.openapi.components import HEADERS, PARAMETERS, event_schemas, row_name, row_schema, shared_schemas
from tidings.api.openapi.hooks import hook_paths
from tidings.api.openapi.operating import operating_paths, operating_schemas
from tidings.api.openapi.operations import event_paths, view_paths
from tidings.api.openapi.own import own_paths
from tidings.api.openapi.parts import Object, problems
from tidings.api.problems import Problem
from tidings.api.routing import OPEN, Operation
from tidings.events.catalog import Catalog
from tidings.views.declaration import ViewSpec

_ABOUT = (
    "Events in by CloudEvents 1.0, views out. Every append answers a position; every read may ask for one. "
    "All errors are problem details. `components.responses` answer a path or a method that is not described here."
)

_KEY: Object = {
    "type": "http",
    "scheme": "bearer",
    "description": "The token of an API key. A server that has none answers programs on its own machine only.",
}


def describe(catalog: Catalog, views: Sequence[ViewSpec], table: Iterable[Operation], *, version: str) -> Object:
    """Return the document; `version` is this package's own. What an operation asks of its caller, `table` says."""
    paths = event_paths(catalog) | view_paths(views) | operating_paths() | own_paths()
    _secure(paths, table)
    paths |= hook_paths()  # whom a signature admits
    rows = {row_name(view): row_schema(view) for view in views}
    return {
        "openapi": "3.1.0",
        "info": {"title": "tidings", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": shared_schemas() | operating_schemas() | event_schemas(catalog) | rows,
            "headers": dict(HEADERS),
            "parameters": dict(PARAMETERS),
            "securitySchemes": {"Key": dict(_KEY)},
            "responses": {
                "UnknownPath": problems(Problem.NOT_FOUND)["404"],
                "OtherMethod": problems(Problem.METHOD_NOT_ALLOWED)["405"],
            },
        },
    }


def _secure(paths: dict[str, Object], table: Iterable[Operation]) -> None:
    scopes = {(each.method.lower(), each.path): each.scope for each in table}
    for path, item in paths.items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            scope = "views:read" if path.startswith("/views/") else scopes[method, path]
            item[method]["security"] = [] if path in OPEN else [{"Key": [] if scope is None else [scope]}]
            if scope is not None:
                item[method]["responses"] |= problems(Problem.SCOPE_MISSING)
