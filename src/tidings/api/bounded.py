"""The header by which a read of a copy says how far the copy is proved right."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.api.answer import Header
from tidings.app.opened import Opened
from tidings.events.timestamp import time_text
from tidings.reconciliation.asof import Bounds
from tidings.reconciliation.listing import CopyScope
from tidings.reconciliation.scope import Reconciliation
from tidings.views.declaration import ViewSpec

KEPT_SECONDS = 1.0
"""How long a bound is told again: what was true of a copy stays true of it, and reading it costs more than a row."""


class Bounded:
    """Says it of the views that are copies. Ask before the rows are read: they are as new then, or newer."""

    def __init__(self, opened: Opened) -> None:
        self._clock = opened.ports.clock
        self._scopes: Mapping[type, Reconciliation] = {
            each.scope.view: each for each in opened.scopes.values() if isinstance(each.scope, CopyScope)
        }
        self._kept: dict[str, tuple[float, tuple[Header, ...]]] = {}

    async def headers(self, view: ViewSpec) -> tuple[Header, ...]:
        """Return `Tidings-As-Of`; nothing of a view that is no copy, or of which nothing is proved."""
        scope = self._scopes.get(view.row)
        if scope is None:
            return ()
        name, now = scope.scope.name, self._clock.monotonic()
        looked, headers = self._kept.get(name, (float("-inf"), ()))
        if now - looked >= KEPT_SECONDS:
            headers = _told(await scope.asof())
            self._kept[name] = (now, headers)
        return headers


def _told(bounds: Bounds) -> tuple[Header, ...]:
    if bounds.upserts is None:
        return ()
    said = time_text(bounds.upserts)
    if bounds.deletes is not None:
        said += f"; delete={time_text(bounds.deletes)}"
    if bounds.exceptions:
        said += f"; exceptions={len(bounds.exceptions)}"
    return ((b"tidings-as-of", said.encode()),)
