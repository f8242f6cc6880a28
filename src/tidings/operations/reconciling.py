"""Scopes and their runs, as whoever asks names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tidings.errors import NotFoundError
from tidings.events.timestamp import time_text
from tidings.reconciliation.asof import Bounds
from tidings.reconciliation.kept.coding import Finding
from tidings.reconciliation.kept.ranked import RankedAhead
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.scope import Reconciliation
from tidings.store.host import Check
from tidings.wording import counted


async def scopes_check(scopes: Mapping[str, Reconciliation], now: int) -> Check:
    """Say which copies were not proved right for twice as long as that should take, and which runs hold deletes."""
    told = []
    for name, scope in scopes.items():
        bounds = await scope.asof()
        if bounds.run is not None and bounds.run.state == "held":
            told.append(
                f"{name} holds {counted(bounds.run.held_count, scope.holds)}: `tidings reconcile report {name}`"
            )
        if bounds.is_stopped:
            count = counted(len(bounds.exceptions), "item")
            told.append(
                f"{name} is right but for {count}, so its bounds stand still: `tidings asof {name} --json` names them"
            )
        if bounds.ahead(now):
            told.append(f"{name} {ahead_told(bounds, now)}")
        if (ranked := await scope.ranked_ahead()).count:
            told.append(f"{name} {ranked_told(ranked)}")
        if bounds.is_overdue(now):
            told.append(f"{name} {overdue_told(bounds, now)}")
    return Check("reconciliation", "; ".join(told) or None)


def ahead_told(bounds: Bounds, now: int) -> str:
    """Return that something is taken for known up to a time that is still to come, and what to do, in words."""
    return (
        f"was proved right up to {bounds.ahead(now) / 1_000_000:,.0f} s from now, by a clock that was wrong: until "
        "then what changes is taken for late; compare this machine's clock and the provider's, then change a fact of "
        "its adapter, as clock_skew, and `tidings reconcile run --apply` proves all anew"
    )


def ranked_told(ranked: RankedAhead) -> str:
    """Return that items are taken for newer than all that is to come for long, and what to do, in words."""
    return (
        f"ranks {counted(ranked.count, 'item')}, the first is {ranked.first!r:.80}, by times up to "
        f"{time_text(ranked.latest)}, by a clock that was wrong: until then nothing that is listed or told of them is "
        "taken in, whatever its bounds say; if that is too long, have another view be the copy, under another name, "
        "of another scope"
    )


def overdue_told(bounds: Bounds, now: int) -> str:
    """Return how overdue a bound is, in words."""
    seconds, expected = (bounds.staleness(now) or 0) / 1_000_000, (bounds.expected or 0) / 1_000_000
    if bounds.deletes is None:
        return f"was never proved right, {seconds:,.0f} s after its first run: {expected:,.0f} s are enough"
    return f"was proved right {seconds:,.0f} s ago: {expected:,.0f} s are enough"


def find_scope(scopes: Mapping[str, Reconciliation], name: str) -> Reconciliation:
    """Return the scope of this name. NotFoundError."""
    if name not in scopes:
        raise NotFoundError("scope", name, scopes, hint="app.reconcile(…) declares one")
    return scopes[name]


async def find_run(scopes: Mapping[str, Reconciliation], id: str) -> tuple[Reconciliation, Run]:
    """Return a run, with the scope that it is of. NotFoundError."""
    for scope in scopes.values():
        run = await scope.find(id)
        if run is not None:
            return scope, run
    raise NotFoundError("run", id)


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
