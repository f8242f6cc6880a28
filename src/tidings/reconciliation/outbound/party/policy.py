"""What a party holds of an item, told apart, and what is decided about fields that others have changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from tidings.reconciliation.outbound.party.expected import NOTHING, Expected
from tidings.reconciliation.outbound.party.holds import Policy


class Shown(StrEnum):
    """`PENDING`: it is being pushed, or was when it was read. `LOST`: it shows a state of ours from before, or was
    never there: the delivery was lost. `FOREIGN`: it is as we never sent it. `ABSENT`: it was there once. `EXTRA`:
    nothing is known of it here, or it was to be gone, and was."""

    EQUAL = "equal"
    PENDING = "pending"
    LOST = "lost"
    FOREIGN = "foreign"
    ABSENT = "absent"
    EXTRA = "extra"


def shown(hash: int, held: Expected | None, *, as_of: int, is_pending: bool) -> Shown:
    """Judge what a party holds. `hash`: of our fields there, `NOTHING` if there is no such item; `is_pending`: a
    delivery of it is open."""
    if held is None:
        return Shown.EQUAL if hash == NOTHING else Shown.EXTRA
    if is_pending or held.changed >= as_of:
        return Shown.PENDING
    if hash == (NOTHING if held.is_removed else held.hash):
        return Shown.EQUAL
    if held.state == "gone":
        return Shown.EXTRA
    if hash == NOTHING:
        return Shown.LOST if held.base is None else Shown.ABSENT
    is_decided = hash == held.over and not held.is_settled  # it lacks what that was decided to be overwritten with
    return Shown.LOST if hash in held.older or is_decided else Shown.FOREIGN


def decided(
    fields: Mapping[str, Policy], *, base: Mapping[str, Any] | None, ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return our fields as both should hold them from now on; None if somebody has to decide. `base`: as the party had
    them of us last: where it still has that, nobody has changed it and it lacks what we sent since."""
    found: dict[str, Any] = {}
    for name, policy in fields.items():
        one, other = ours[name], theirs[name]
        was = None if base is None else base[name]
        if one == other or policy == "ours" or (base is not None and other == was):
            found[name] = one
        elif policy == "theirs":
            found[name] = other
        elif callable(policy):
            found[name] = policy(was, one, other)
        else:
            return None
    return found
