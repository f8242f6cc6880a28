"""Scopes that are reconciled: how far each copy is proved right, its runs, and what they found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tidings.events.timestamp import time_text
from tidings.reconciliation.asof import Bounds
from tidings.reconciliation.kept.attributing import IN_FLIGHT, is_in_flight, told_cause
from tidings.reconciliation.kept.coding import Finding
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.judging import Kind

KINDS = tuple(each.value for each in Kind)
FINDING_STATES = ("proposed", "open", "merged", "parked", "waived", "asked")
CAUSES = ("unknown", "late", "lost", "handler", "provider", "foreign")


def bounds_object(found: Bounds, *, now: int) -> dict[str, Any]:
    """Return how far a copy is proved right. `now`: µs since 1970."""
    return {
        "scope": found.scope,
        "upsert": _bound(found.upserts, now),
        "delete": _bound(found.deletes, now),
        "exceptions": [
            {"key": each.key, "reason": each.reason, "since": time_text(each.since)} for each in found.exceptions
        ],
        "stopped": found.is_stopped,
        "expected_s": None if found.expected is None else found.expected / 1_000_000,
        "overdue": found.is_overdue(now),
        "ahead_s": found.ahead(now) / 1_000_000,
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
        "reason": run.why or None,
        "started": time_text(run.started),
        "ended": None if run.ended is None else time_text(run.ended),
        "pages": run.pages,
        "rows": run.rows,
        "equal": run.equal,
        "old": run.old,
        "proposed": run.proposed,
        "appended": run.appended,
        "asked": run.asked,
        "suspects": run.suspects,
        "open_suspects": run.open_suspects,
        "omitted": run.omitted,
        "deletes": run.deleted,
        "held": list(run.held),
        "held_count": run.held_count,
        "unreadable": run.unreadable,
        "breaches": [*dict.fromkeys(run.breaches)],
        "presence_only": run.presence_only or None,
        "before": _pair(run.before),
        "after": _pair(run.bounds),
    }


def causes_object(found: Sequence[Finding], *, now: int) -> dict[str, int]:
    """Return how many of these came to be why: `in_flight`, which no one has to look at, apart."""
    counts = Counter(told_cause(each, now=now) for each in found)
    return {cause: counts[cause] for cause in (IN_FLIGHT, *CAUSES) if counts[cause]}


def run_line(run: Run, scope: str, found: Sequence[Finding], *, now: int) -> str:
    """Return a run in one line, as for a chat. `found`: what it found."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(Counter(each.kind for each in found).items()))
    made = f"{run.proposed:,} proposed" if run.is_dry else f"{run.appended:,} appended"
    parts = [f"{run.rows:,} rows", f"{made} ({kinds})" if kinds else made]
    causes = causes_object(found, now=now)
    parts += [", ".join(f"{count:,} {cause.replace('_', ' ')}" for cause, count in causes.items())] if causes else []
    parts += [f"{run.old:,} old"] if run.old else []
    parts += [f"{run.asked:,} asked"] if run.asked else []
    parts += [f"{run.held_count:,} held"] if run.held else []
    state = run.state if not run.why else f"{run.state}, {run.why}"
    proved = "never proved" if run.bounds[1] == NEVER else f"consistent as of {time_text(run.bounds[1])}"
    return f"{scope}: {state}: {'; '.join(parts)}; {proved}"


def finding_object(found: Finding, *, now: int, values: bool) -> dict[str, Any]:
    """Return a difference that a run found. `now`: µs since 1970; `values`: whether those may be shown."""
    return {
        "id": found.id,
        "kind": found.kind,
        "key": found.key,
        "state": found.state,
        "cause": found.cause,
        "in_flight": is_in_flight(found, now=now),
        "fields": [
            {"name": each.name, "here": each.here if values else None, "there": each.there if values else None}
            for each in found.fields
        ],
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
