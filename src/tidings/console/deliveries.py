"""Deliveries to functions: those that wait, those that were given up, those that are delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tidings.console.visit import Visit
from tidings.errors import MalformedError
from tidings.faces.deliveries import in_rounds
from tidings.faces.visible import visible
from tidings.operations import deliveries as operation
from tidings.store.deliveries import State

SHOWN = 200
STATES: tuple[State, ...] = ("dead", "due", "leased", "held", "behind", "delivered", "expired", "cancelled")


async def every(visit: Visit) -> Response:
    opened, asked = visit.opened, visit.query(("state",)).get("state")
    if asked not in (None, *STATES):
        raise MalformedError(f"{str(asked)[:40]!r} is no state: it is {', '.join(STATES)}")
    found: list[Mapping[str, Any]] = []
    for state in STATES if asked is None else (asked,):
        of_state = await operation.deliveries(opened.store, opened.services, state, limit=SHOWN + 1 - len(found))
        found += of_state
        if len(found) > SHOWN:
            break
    return await visit.show(
        "deliveries.html",
        deliveries=found[:SHOWN],
        is_cut=len(found) > SHOWN,
        shown=SHOWN,
        state=asked,
        states=STATES,
        functions=sorted(f"{service.name}.{name}" for service in opened.services for name in service.functions),
    )


async def one(visit: Visit) -> Response:
    found = await operation.show(visit.opened.store, visit.segment("key"))
    return await visit.show("delivery.html", each=found.delivery, attempts=list(in_rounds(found.attempts)))


async def retry(visit: Visit) -> Response:
    form, opened = await visit.form(), visit.opened
    key = form.get("key", "")
    await operation.retry(opened.store, key, opened.ports.clock, who=visit.who)
    return visit.done(f"{visible(key)} is due now: it is called with the same key.", "/deliveries")


async def cancel(visit: Visit) -> Response:
    form, opened = await visit.form(), visit.opened
    key, reason = form.get("key", ""), form.get("reason", "")
    await operation.cancel(opened.store, key, opened.ports.clock, who=visit.who, reason=reason)
    return visit.done(f"{visible(key)} is cancelled: it is called no more.", "/deliveries")
