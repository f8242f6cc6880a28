"""What reconciliation with Till came to: what never came was found, only what is gone was deleted, and the bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidings.demo.client import Reader, Repair
from tidings.demo.history import Happening
from tidings.demo.parties import Parties
from tidings.demo.patience import Patience
from tidings.demo.plan import Plan
from tidings.demo.report import Line
from tidings.demo.telling import NEVER_TOLD
from tidings.demo.till_listing import PARTIAL
from tidings.errors import OperatorError
from tidings.events.timestamp import time_text, time_us
from tidings.operations.progress import Progress
from tidings.ports import Clock
from tidings.wording import counted

SCOPE = "till-orders"


async def until_proved(parties: Parties, reader: Reader, clock: Clock, progress: Progress) -> None:
    """Wait until Chirp's orders are proved right up to the last change at Till, and both of its lists that lie are
    over. OperatorError if neither comes nearer in a while."""
    patience = Patience(clock)
    while True:
        till, found = await parties.till(), await reader.asof(SCOPE)
        listings = min(till["listings"], PARTIAL + 1)
        progress("reconciling with Till", listings, PARTIAL + 1)
        if listings > PARTIAL and is_proved(found, till["changed"]):
            return
        # A bound that has passed the last change moves on with each run, and brings nothing nearer.
        bounds = [each is not None and min(time_us(each), till["changed"]) for each in _bounds(found)]
        if patience.ends((listings, bounds, len(found["exceptions"]))):
            raise OperatorError(stuck(found, till["changed"]))
        await clock.sleep(0.5)


def stuck(found: Mapping[str, Any], changed: int) -> str:
    """Return in a sentence how far it is proved. `changed`: when something last did at Till, µs since 1970."""
    upserts, deletes = (each or "never" for each in _bounds(found))
    excepted = [each["key"] for each in found["exceptions"]]
    some = f", such as {', '.join(excepted[:3])}" if excepted else ""
    run = (
        "none"
        if found["run"] is None
        else f"{found['run']['state']}: tidings reconcile report {SCOPE} {found['run']['id']}"
    )
    return (
        f"Chirp's orders are proved right as of {upserts} for what is there and {deletes} for what is gone, but for "
        f"{counted(len(excepted), 'order')}{some}; Till last changed at {time_text(changed)}, and this does not move. "
        f"The last run is {run}"
    )


def is_proved(found: Mapping[str, Any], changed: int) -> bool:
    """Say whether it is told that all is right that had changed by then, µs since 1970."""
    return not found["exceptions"] and all(each is not None and time_us(each) >= changed for each in _bounds(found))


def _bounds(found: Mapping[str, Any]) -> tuple[str | None, str | None]:
    return found["upsert"]["as_of"], found["delete"]["as_of"]


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
    upserts, deletes = (each or "never" for each in _bounds(found))
    said = f"{upserts} for what is there, {deletes} for what is gone; "
    said += f"except {counted(len(found['exceptions']), 'order')}"
    return Line("consistent as of", said, is_proved(found, changed), excepted)
