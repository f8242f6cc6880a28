"""Why a difference came to be, as time shows. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from tidings.reconciliation.coding import Finding

GRACE_US = 60_000_000
"""What comes after its repair, but within this, was on its way: no way by which events come is broken."""


def attributed(found: Finding, *, now: int, horizon: int) -> Finding:
    """Return a finding with its cause. `horizon`: after it no webhook arrives any more, µs.

    That no event came is all that is known of one that was lost: of what is changed by hand, some providers send none.
    """
    is_over = found.state != "proposed" and now > found.since + horizon
    return replace(found, cause="lost") if found.cause == "unknown" and is_over else found


def is_in_flight(found: Finding, *, now: int) -> bool:
    """Say whether it is none yet that anybody has to look at: its event came a moment later, or still may."""
    if found.arrived is not None:
        return found.arrived - found.since <= GRACE_US
    return found.cause == "unknown" and now - found.since <= GRACE_US
