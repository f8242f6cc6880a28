"""Why a difference came to be, as time shows. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from tidings.reconciliation.kept.coding import Dirty, Finding
from tidings.reconciliation.rules.judging import NOTED, Kind
from tidings.store.rows import Rank

IN_FLIGHT = "in_flight"
TOLD = frozenset({"hint", "place", "ahead", "late", "tie", "unreadable"})
"""Why a key is to be read of which an event came."""


def attributed(found: Finding, *, now: int, horizon: int) -> Finding:
    """Return a finding with its cause. `horizon`: after it no webhook arrives any more, µs.

    That no event came is all that is known of one that was lost: of what is changed by hand, some providers send none.
    """
    is_over = found.state != "proposed" and now > found.since + horizon
    return replace(found, cause="lost") if found.cause == "unknown" and is_over else found


def is_in_flight(found: Finding, *, now: int) -> bool:
    """Say whether it is none that anybody has to look at: its event came in time, or still may. What is only proposed
    is as what is repaired."""
    if found.arrived is not None:
        return found.arrived <= found.due
    return found.cause == "unknown" and now <= found.due


def is_surely_in_flight(found: Finding, *, now: int) -> bool:
    """Say whether that is known by now, also to who waits no longer: it came in time, or what it tells has just
    happened."""
    return is_in_flight(found, now=now) and (found.arrived is not None or found.changed is not None)


def told_by(found: Finding, asked: Dirty | None) -> Finding:
    """Return a finding whose key had to be read, since an event had said too little: then it was told, and in time. Of
    two states of one tick none is late."""
    if asked is None or asked.reason not in TOLD or found.cause != "unknown":
        return found
    if found.kind == Kind.TIE:
        return replace(found, cause="provider")
    return replace(found, cause="late", arrived=asked.since)


def is_no_drift(found: Finding, *, now: int) -> bool:
    """Say whether what a run has repaired, or would, is certainly nothing that anybody has to look at."""
    return found.kind not in NOTED and (found.state == "waived" or is_surely_in_flight(found, now=now))


def told_cause(found: Finding, *, now: int) -> str:
    """Return why it came to be, or that it is in flight."""
    return IN_FLIGHT if is_in_flight(found, now=now) else found.cause


def is_its_event(found: Finding, rank: Rank) -> bool:
    """Say whether an event that tells the same state is the one that a finding waits for: also of the same version, if
    the finding's is known."""
    return found.changed is None or rank.at == found.rank[0]
