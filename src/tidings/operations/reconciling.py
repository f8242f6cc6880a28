"""Scopes and their runs, as whoever asks names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tidings.errors import NotFoundError
from tidings.reconciliation.coding import Finding
from tidings.reconciliation.records import Run
from tidings.reconciliation.scope import Reconciliation
from tidings.wording import absent


def find_scope(scopes: Mapping[str, Reconciliation], name: str) -> Reconciliation:
    """Return the scope of this name. NotFoundError."""
    if name not in scopes:
        raise NotFoundError(absent("scope", name, scopes))
    return scopes[name]


async def find_run(scopes: Mapping[str, Reconciliation], id: str) -> tuple[Reconciliation, Run]:
    """Return a run, with the scope that it is of. NotFoundError."""
    for scope in scopes.values():
        run = await scope.find(id)
        if run is not None:
            return scope, run
    raise NotFoundError(f"there is no run {id[:64]!r} of a scope that is reconciled here")


async def runs_of(
    scopes: Iterable[Reconciliation], *, before: str | None = None, limit: int = 20
) -> Sequence[tuple[str, Run]]:
    """Return runs with the names of their scopes, newest first. `before`: the id of one that they began before."""
    found = [(each.scope.name, run) for each in scopes for run in await each.runs(before=before, limit=limit)]
    return sorted(found, key=lambda each: each[1].id, reverse=True)[:limit]


def page_of(
    found: Sequence[Finding], *, kind: str | None = None, after: str | None = None, limit: int = 100
) -> Sequence[Finding] | None:
    """Return findings of a kind, or of all, behind the one of this id; None if there is no such one."""
    chosen = [each for each in found if kind in (None, each.kind)]
    if after is None:
        return chosen[:limit]
    places = [place for place, each in enumerate(chosen) if each.id == after]
    return chosen[places[0] + 1 :][:limit] if places else None
