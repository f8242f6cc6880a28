"""What reconciliation with Till came to: what never came was found, only what is gone was deleted, and the bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidings.demo.client import Repair
from tidings.demo.history import Happening
from tidings.demo.parties import Parties
from tidings.demo.patience import Patience
from tidings.demo.plan import Plan
from tidings.demo.report import Line
from tidings.demo.server import Place
from tidings.demo.telling import NEVER_TOLD
from tidings.demo.till_listing import PARTIAL
from tidings.errors import OperatorError
from tidings.events.timestamp import time_us
from tidings.operations.progress import Progress
from tidings.ports import Clock
from tidings.wording import counted

SCOPE = "till-orders"


async def until_proved(parties: Parties, place: Place, clock: Clock, progress: Progress) -> Mapping[str, Any]:
    """Wait until Chirp's orders are proved right up to the last change at Till, and both of its lists that lie are
    over; return what is told of them then. OperatorError if that does not come about."""
    patience = Patience(clock)
    while True:
        till = await parties.till()
        listings = min(till["listings"], PARTIAL + 1)
        progress("reconciling with Till", listings, PARTIAL + 1)
        found: Mapping[str, Any] = {}
        if listings > PARTIAL:
            [found] = await place.ask("asof", SCOPE)
            if is_proved(found, till["changed"]):
                return found
        if patience.ends(listings):
            raise OperatorError(f"Chirp's orders are not proved right: {dict(found)}, while Till says {till}")
        await clock.sleep(0.5)


def is_proved(found: Mapping[str, Any], changed: int) -> bool:
    """Say whether it is told that all is right that had changed by then, µs since 1970."""
    bounds = [found[kind]["as_of"] for kind in ("upsert", "delete")]
    return not found["exceptions"] and all(each is not None and time_us(each) >= changed for each in bounds)


def compare_lost(plan: Plan, repairs: Sequence[Repair], findings: Mapping[str, Any]) -> Line:
    """Of each order that is there, and whose last webhook never came, it was found what it is.

    `findings`: by the ids of their repairs, which say how many were of webhooks that came after all.
    """
    last: dict[str, Happening] = {each.data["order_id"]: each for each in plan.of_till}
    lost = {each.id for each in plan.lost}
    due = {id for id, each in last.items() if each.id in lost}
    repaired = {each.subject for each in repairs}
    found = f"{counted(len(plan.lost), 'webhook')} never came, for {counted(len(due), 'order')} the last one: "
    found += f"{len(due & repaired):,} found by reconciliation; {_corrections(repairs, findings)}"
    missing = sorted(due - repaired)
    otherwise = f"{counted(len(due), 'order')} behind" if due else ""
    return Line("lost webhooks", found, not missing, ", ".join(missing[:3]), otherwise)


def _corrections(repairs: Sequence[Repair], findings: Mapping[str, Any]) -> str:
    of = [findings.get(each.id, {}) for each in repairs if each.type != NEVER_TOLD]
    came = [each["in_flight"] for each in of if each.get("cause") == "late"]
    said = f"of {counted(len(of), 'correction')} {sum(came):,} were webhooks under way"
    return f"{said}, {len(came) - sum(came):,} came later than that, {len(of) - len(came):,} never"


def compare_deleted(plan: Plan, repairs: Sequence[Repair]) -> Line:
    """What was deleted here is gone there: nothing else was, whatever Till's lists left out."""
    gone = {each.data["order_id"] for each in plan.of_till if each.type == NEVER_TOLD}
    deleted = {each.subject for each in repairs if each.type == NEVER_TOLD}
    wrong = sorted(deleted - gone)
    found = f"{len(deleted & gone):,} of {counted(len(gone), 'order')} that Till deleted and told nobody of; "
    found += f"{counted(len(wrong), 'other')}, though one of its lists came empty and one left rows out"
    return Line("deletes", found, not wrong, ", ".join(wrong[:3]))


def compare_bounds(found: Mapping[str, Any], changed: int) -> Line:
    """The bound has passed the last change at Till, and there is no exception."""
    excepted = ", ".join(each["key"] for each in found["exceptions"][:3])
    upserts, deletes = (found[kind]["as_of"] or "never" for kind in ("upsert", "delete"))
    said = f"{upserts} for what is there, {deletes} for what is gone; "
    said += f"except {counted(len(found['exceptions']), 'order')}"
    return Line("consistent as of", said, is_proved(found, changed), excepted)
