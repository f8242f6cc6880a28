"""Views: what each is declared as, and where its tables stand."""

from __future__ import annotations

from typing import Any

from tidings.faces.tokens import Tokens
from tidings.operations.views import Listed
from tidings.views.declaration import ViewSpec


def view_object(service: str, name: str, view: ViewSpec | Listed) -> dict[str, Any]:
    """Return what a view is."""
    return {
        "service": service,
        "view": name,
        "mode": view.mode,
        "version": view.version,
        "key": list(view.key),
        "columns": [{"name": column.name, "kind": column.kind, "nullable": column.nullable} for column in view.columns],
        "types": sorted(view.types),
    }


def table_object(tokens: Tokens, found: Listed) -> dict[str, Any]:
    """Return what a view is, and one of its tables with where that stands."""
    table = {"state": found.state, "table": found.table, "position": tokens.write_any(found.position)}
    return {**view_object(found.service, found.view, found), **table, "declared": found.declared}
