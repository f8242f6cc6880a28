"""Scopes that are reconciled: how far each copy is proved right, its runs, and what they found."""

from __future__ import annotations

from typing import Any

from tidings.events.timestamp import time_text
from tidings.reconciliation.asof import Bounds
from tidings.reconciliation.coding import Finding
from tidings.reconciliation.floors import NEVER
from tidings.reconciliation.judging import Kind
from tidings.reconciliation.records import Run

KINDS = tuple(each.value for each in Kind)
FINDING_STATES = ("proposed", "open", "merged")
CAUSES = ("unknown", "late", "provider")


def bounds_object(found: Bounds, *, now: int) -> dict[str, Any]:
    """Return how far a copy is proved right. `now`: µs since 1970."""
    return {
        "scope": found.scope,
        "upsert": _bound(found.upserts, now),
        "delete": _bound(found.deletes, now),
        "exceptions": [
            {"key": each.key, "reason": each.reason, "since": time_text(each.since)} for each in found.exceptions
        ],
        "expected_s": None if found.expected is None else found.expected / 1_000_000,
        "overdue": found.is_overdue(now),
        "run": None if found.run is None else {"id": found.run.id, "state": found.run.state},
    }


def run_object(run: Run, scope: str) -> dict[str, Any]:
    """Return a run with what it did."""
    return {
        "id": run.id,
        "scope": scope,
        "mode": run.mode,
        "dry": run.is_dry,
        "state": run.state,
        "why": run.why or None,
        "started": time_text(run.started),
        "ended": None if run.ended is None else time_text(run.ended),
        "pages": run.pages,
        "rows": run.rows,
        "equal": run.equal,
        "proposed": run.proposed,
        "appended": run.appended,
        "suspects": run.suspects,
        "deletes": run.deleted,
        "held": list(run.held),
        "unreadable": run.unreadable,
        "breaches": list(run.breaches),
        "presence_only": run.presence_only or None,
        "before": _pair(run.before),
        "after": _pair(run.bounds),
    }


def finding_object(found: Finding) -> dict[str, Any]:
    """Return a difference that a run found."""
    return {
        "id": found.id,
        "kind": found.kind,
        "key": found.key,
        "state": found.state,
        "cause": found.cause,
        "run": found.run,
        "since": time_text(found.since),
    }


def _bound(at: int | None, now: int) -> dict[str, Any]:
    if at is None:
        return {"as_of": None, "staleness_s": None}
    return {"as_of": time_text(at), "staleness_s": round((now - at) / 1_000_000, 3)}


def _pair(bounds: tuple[int, int]) -> dict[str, Any]:
    upserts, deletes = (None if each == NEVER else time_text(each) for each in bounds)
    return {"upsert": upserts, "delete": deletes}
