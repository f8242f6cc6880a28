"""Calls to the outside: those that were given up, those that wait, those that are delivered, and each attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from starlette.responses import Response

from tidings.console.visit import Visit
from tidings.errors import EnvelopeError, MalformedError
from tidings.events.timestamp import time_us
from tidings.faces.deliveries import in_rounds
from tidings.faces.visible import visible, visible_lines
from tidings.operations import deliveries as operation
from tidings.store.attempts import Attempt
from tidings.store.deliveries import DeliveryFilter, State

SHOWN = 100
STATES: tuple[State, ...] = ("dead", "due", "leased", "held", "behind", "delivered", "expired", "cancelled")
_TEXTS = ("endpoint", "type", "subject", "reason")
_TIMES = ("from", "to")
_FILTERS = (*_TEXTS, *_TIMES)


async def every(visit: Visit) -> Response:
    """Show deliveries state by state, page by page. `in`: the state in which `after` was shown."""
    asked = visit.query((*_FILTERS, "state", "after", "in"))
    states = _states(asked)
    found = await _found(visit, states, _where(asked), asked.get("after"))
    shown, filters = found[:SHOWN], {name: asked.get(name, "") for name in _FILTERS}
    state = asked.get("state")
    more = {"after": shown[-1]["key"], "in": shown[-1]["state"]} if len(found) > SHOWN else {}
    return await visit.show(
        "deliveries.html",
        deliveries=shown,
        state=state,
        states=STATES,
        asked=filters,
        is_filtered=any(filters.values()),
        is_first="after" not in asked,
        first=visit.link("/deliveries", state=state, **filters),
        next=visit.link("/deliveries", state=state, **filters, **more) if more else None,
        functions=sorted(f"{service.name}.{name}" for service in visit.opened.services for name in service.functions),
    )


def _states(asked: Mapping[str, str]) -> Sequence[State]:
    """Return the states of which deliveries are shown, in this order, from the one that the page before had reached."""
    for name in ("state", "in"):
        if asked.get(name) not in (None, *STATES):
            raise MalformedError(f"{asked[name][:40]!r} is no state: it is {', '.join(STATES)}")
    begin = asked.get("in")
    if "state" in asked:
        return (cast(State, asked["state"]),)
    return STATES if begin is None else STATES[STATES.index(cast(State, begin)) :]


def _where(asked: Mapping[str, str]) -> DeliveryFilter:
    try:
        since, until = (None if name not in asked else time_us(asked[name]) for name in _TIMES)
    except EnvelopeError as error:
        raise MalformedError(f"a time is written as 2026-05-04T10:00:00Z: {error}") from None
    return DeliveryFilter(**{name: asked[name] for name in _TEXTS if name in asked}, since=since, until=until)


async def _found(
    visit: Visit, states: Sequence[State], where: DeliveryFilter, after: str | None
) -> list[Mapping[str, Any]]:
    opened = visit.opened
    if after is not None and await opened.store.delivery(after) is None:
        raise MalformedError(f"there is no delivery {after[:80]!r} any more to go on after: begin with the first page")
    found: list[Mapping[str, Any]] = []
    for state in states:
        most = SHOWN + 1 - len(found)
        found += await operation.deliveries(
            opened.store, opened.services, state, where=where, after=after if state == states[0] else None, limit=most
        )
        if len(found) > SHOWN:
            break
    return found


async def one(visit: Visit) -> Response:
    found = await operation.show(visit.opened.store, visit.segment("key"))
    attempts = [(round, each, _answer(each)) for round, each in in_rounds(found.attempts)]
    return await visit.show("delivery.html", each=found.delivery, attempts=attempts)


def _answer(attempt: Attempt) -> Mapping[str, Any] | None:
    """Return what a receiver answered, as far as it is kept, as text that does nothing; None if nothing is."""
    if attempt.answer is None:
        return None
    kept = msgspec.json.decode(attempt.answer)
    body = kept.get("body") or {}
    return {
        "status": kept.get("status"),
        "address": kept.get("address"),
        "refused": kept.get("refused", ()),
        "cut": kept.get("cut"),
        "withheld": kept.get("withheld", False),
        "headers": kept.get("headers", ()),
        "body": visible_lines(body.get("text", "")),
        "encoding": body.get("encoding", "text"),
        "truncated": body.get("truncated", False),
    }


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
