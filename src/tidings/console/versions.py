"""Versions of events: their states, who emits and accepts which, how much of each there is, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from tidings.console.picture import NO_NOTES, picture_of
from tidings.console.visit import Visit
from tidings.errors import MalformedError, NotFoundError
from tidings.faces.flow import flow_of, next_version, sentences
from tidings.faces.versions import version_object
from tidings.operations.census import census
from tidings.operations.planner import counts, planned
from tidings.store.versions import EventVersion, VersionLease
from tidings.versions.census import Census
from tidings.versions.plan import Plan
from tidings.versions.reasons.names import name_of
from tidings.versions.sunset import writers

DRAWN_MOST = 24
"""More types are no picture any more: those that have several versions come first."""
LEASES_MOST = 200
_PLACES = ("in_transit", "dead", "retry", "outbox", "delivery")


async def every(visit: Visit) -> Response:
    """Show all types."""
    visit.query(())
    known = await census(visit.opened.store)
    types = sorted({each.type for each in known.versions})
    drawn = drawn_of(known, types)
    return await visit.show(
        "versions.html",
        types=types,
        rows=rows_of(known, None),
        moving=[_planned(visit, known, type, to) for type in types if (to := next_version(known, type)) is not None],
        as_of=known.as_of,
        is_whole=known.is_whole,
        left_out=len(types) - len(drawn),
        **_drawing(known, drawn),
    )


async def one(visit: Visit) -> Response:
    """Show one type, and the plan to one of its versions: `to`, else the next one."""
    asked, type = visit.query(("to",)), visit.segment("type")
    known = await census(visit.opened.store)
    rows = known.of_type(type)
    if not rows:
        raise NotFoundError("event type", type, {each.type for each in known.versions})
    to = _asked(asked.get("to"), rows) or next_version(known, type) or max(known.produced(type), default=max(rows))
    plan = _planned(visit, known, type, to)
    leases = sorted(
        (each for each in known.leases if each.type == type),
        key=lambda each: (not each.is_live(known.as_of.time), each.role, each.consumer or each.service, each.instance),
    )
    return await visit.show(
        "versions_of.html",
        type=type,
        rows=rows_of(known, type),
        to=to,
        choices=sorted(number for number, each in rows.items() if each.life == "active"),
        plan=plan,
        leases=[_lease(each, known) for each in leases[:LEASES_MOST]],
        left_out=max(0, len(leases) - LEASES_MOST),
        as_of=known.as_of,
        is_whole=known.is_whole,
        **_drawing(known, [type], {row.service: f"{row.place} {row.state}" for row in plan.rows}),
    )


def drawn_of(known: Census, types: Sequence[str]) -> Sequence[str]:
    """Return the types that are drawn, those with several versions before others."""
    if len(types) <= DRAWN_MOST:
        return types
    return sorted(types, key=lambda type: (len(known.of_type(type)) < 2, type))[:DRAWN_MOST]


def rows_of(known: Census, type: str | None) -> list[dict[str, Any]]:
    """Return what tables show of each version: itself, who has it, and how much of it there is."""
    there = {(each.type, each.version): each for each in known.versions}
    return [
        {
            **counted,
            "row": there[counted["type"], counted["version"]],
            "told": version_object(there[counted["type"], counted["version"]], known),
            "emitted_by": emitted_by(known, there[counted["type"], counted["version"]]),
            "under_way": sum(counted[place] for place in _PLACES),
        }
        for counted in counts(known, type)
    ]


def emitted_by(known: Census, row: EventVersion) -> list[str]:
    """Return the services that have a class of a version, and those that bring theirs down to it now."""
    having = {each.service for each in known.live("emit", row.type) if each.service and row.version in each.versions}
    return sorted(
        [*having, *(f"{each}, brought down" for each in writers(known, row.type, row.version) if each not in having)]
    )


def _drawing(known: Census, types: Iterable[str], notes: Mapping[str, str] = NO_NOTES) -> dict[str, Any]:
    flow = flow_of(known, types)
    return {"picture": picture_of(flow, known, notes), "words": sentences(flow)}


def _planned(visit: Visit, known: Census, type: str, to: int) -> Plan:
    return planned(known, type, to, opens_itself=visit.opened.settings.gates == "auto")


def _asked(text: str | None, rows: Iterable[int]) -> int | None:
    if text is None:
        return None
    found = next((number for number in rows if str(number) == text), None)
    if found is None:
        raise MalformedError(f"there is no version {text[:20]!r} of it; there is {', '.join(map(str, sorted(rows)))}")
    return found


def _lease(lease: VersionLease, known: Census) -> dict[str, Any]:
    is_live = lease.is_live(known.as_of.time)
    state = lease.admission if is_live else "left" if lease.admission == "left" else "lapsed"
    who = (lease.service or "whoever is outside") if lease.role == "emit" else lease.consumer
    does = {"accept": "accepts", "emit": "emits", "serve": "brings to pins"}[lease.role]
    return {"who": who, "does": does, "name": name_of(lease), "lease": lease, "state": state}
