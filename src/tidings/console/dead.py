"""Dead letters: what is parked and why, what waits behind it, and giving it back or up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from starlette.responses import Response

from tidings.console.entries import cells
from tidings.console.texts import number
from tidings.console.visit import Visit
from tidings.errors import CallerError, MalformedError
from tidings.faces.visible import visible
from tidings.operations import dead as operation
from tidings.operations.carried import taken_up
from tidings.operations.dead import Which, typed, written
from tidings.wording import counted

SHOWN = 200
AUDITED = 20
_FILTERS = ("consumer", "state", "reason")
_ALL = "all"


async def every(visit: Visit) -> Response:
    asked = visit.query(_FILTERS)
    opened = visit.opened
    there = await opened.store.parked()
    found = await operation.parked(opened.store, opened.services, _which(asked, wrong=MalformedError))
    return await visit.show(
        "dead.html",
        parked=found[:SHOWN],
        count=len(found),
        entries=sum(each.entries for each in found),
        is_filtered=bool(asked),
        asked={name: asked.get(name, "") for name in _FILTERS},
        consumers=sorted({each.consumer for each in there} | {*filter(None, [asked.get("consumer")])}),
        reasons=sorted({each.reason for each in there} | {*filter(None, [asked.get("reason")])}),
        written=written,
        audit=await opened.store.audit(limit=AUDITED),
    )


async def subject(visit: Visit) -> Response:
    query = visit.query(("consumer", "subject"))
    consumer, name = query.get("consumer", ""), query.get("subject", "")
    found = await operation.show(visit.opened.store, consumer, typed(name))
    return await visit.show(
        "subject.html",
        parked=found.parked,
        subject=written(found.parked.subject),
        rows=[(letter.entry.position, cells(visit, letter.entry)) for letter in found.letters],
    )


async def redrive(visit: Visit) -> Response:
    form, opened = await visit.form(), visit.opened
    consumer, name = form.get("consumer", ""), form.get("subject", "")
    was = await operation.redrive(
        opened.store, opened.ports.clock, opened.services, consumer, typed(name), who=visit.who
    )
    step = await taken_up(opened.store, {consumer})
    return visit.done(f"{visible(name)} is due now with {counted(was.entries, 'entry', 'entries')}: {step}.", "/dead")


async def redrive_all(visit: Visit) -> Response:
    form, opened = await visit.form(), visit.opened
    asked = {name: form[name] for name in _FILTERS if form.get(name)}
    which = _which(asked, wrong=CallerError)
    found = await operation.redrive_all(opened.store, opened.ports.clock, opened.services, which, who=visit.who)
    entries = counted(sum(each.entries for each in found), "entry", "entries")
    due = counted(len(found), "subject is", "subjects are")
    step = await taken_up(opened.store, {each.consumer for each in found})
    return visit.done(f"{due} due now, with {entries}: {step}.", "/dead")


async def drop(visit: Visit) -> Response:
    form, store = await visit.form(), visit.opened.store
    consumer, name, reason = form.get("consumer", ""), typed(form.get("subject", "")), form.get("reason", "")
    chosen = form.get("position", "")
    if chosen == _ALL:
        done = await operation.drop_subject(store, consumer, name, reason=reason, who=visit.who)
    elif chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
        done = await operation.drop(store, consumer, name, position=int(chosen), reason=reason, who=visit.who)
    else:
        raise CallerError("give up which entry? Choose one, or all of them")
    at = ", ".join(map(number, done.positions[:AUDITED])) + " …" * (len(done.positions) > AUDITED)
    # On to all that is parked: what waited behind goes on by itself, and then this subject is parked no more.
    return visit.done(f"Given up for {consumer}: {counted(len(done.positions), 'entry', 'entries')} at {at}.", "/dead")


def _which(asked: Mapping[str, str], *, wrong: type[CallerError]) -> Which:
    state = asked.get("state")
    if state not in (None, "retrying", "dead"):
        raise wrong(f"{state[:40]!r} is no state: it is retrying or dead")
    return Which(consumer=asked.get("consumer"), state=cast(None, state), reason=asked.get("reason"))
