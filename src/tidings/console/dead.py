"""Dead letters: what is parked and why, what waits behind it, and giving it back or up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from starlette.responses import Response

from tidings.console.entries import cells
from tidings.console.texts import number
from tidings.console.visit import Visit
from tidings.errors import CallerError, MalformedError, NotFoundError
from tidings.faces.visible import visible
from tidings.operations import dead as operation
from tidings.operations.carried import taken_up
from tidings.operations.dead import LETTER_KINDS, Which, typed, written
from tidings.operations.letters import DeliveryLetter, Letter, ReceiptLetter, find, heads, place_of
from tidings.wording import counted

SHOWN = 200
AUDITED = 20
_FILTERS = ("kind", "consumer", "endpoint", "receiver", "state", "reason")
_ALL = "all"


async def every(visit: Visit) -> Response:
    asked = visit.query(_FILTERS)
    opened = visit.opened
    there, which = await opened.store.parked(), _which(asked, wrong=MalformedError)
    found = await operation.parked(opened.store, opened.services, which)
    others = await _others(visit, which)
    return await visit.show(
        "dead.html",
        parked=found[:SHOWN],
        count=len(found),
        entries=sum(each.entries for each in found),
        others=others[:SHOWN],
        are_cut=len(others) > SHOWN,
        is_filtered=bool(asked),
        asked={name: asked.get(name, "") for name in _FILTERS},
        consumers=sorted({each.consumer for each in there} | {*filter(None, [asked.get("consumer")])}),
        endpoints=sorted({*_told(others, "endpoint"), *filter(None, [asked.get("endpoint")])}),
        receivers=sorted({*_told(others, "receiver"), *filter(None, [asked.get("receiver")])}),
        kinds=LETTER_KINDS,
        reasons=sorted(
            {each.reason for each in there}
            | {each["reason"] for each in others}
            | {*filter(None, [asked.get("reason")])}
        ),
        written=written,
        audit=await opened.store.audit(limit=AUDITED),
    )


def _told(letters: Sequence[Mapping[str, Any]], member: str) -> set[str]:
    return {letter[member] for letter in letters if letter.get(member) is not None}


async def _others(visit: Visit, which: Which) -> list[dict[str, Any]]:
    """Return the letters of no handler, one more than are shown."""
    opened, found = visit.opened, list[Letter]()
    for kind in ("delivery", "receipt"):
        if which.kind in (None, kind):
            of_kind = replace(which, kind=kind)
            found += await heads(opened.log, opened.store, opened.services, of_kind, after=None, limit=SHOWN + 1)
    return [cells_of(each) for each in sorted(found, key=place_of)[: SHOWN + 1]]


def cells_of(letter: Letter) -> dict[str, Any]:
    """Return what a row, or the page, of a letter shows that is of no handler. NotFoundError for one of a handler."""
    match letter:
        case DeliveryLetter(delivery=found):
            return {
                "name": letter.name,
                "kind": "delivery",
                "endpoint": found.endpoint,
                "of": found.endpoint or f"{found.service}.{found.function}",
                "where": f"/deliveries/{found.key}",
                "reason": found.reason or "unknown",
                "error": found.error or "",
                "attempts": found.attempts,
                "behind": found.followers,
                "since": found.closed,
            }
        case ReceiptLetter(receipt=receipt):
            return {
                "name": letter.name,
                "kind": "receipt",
                "receiver": receipt.receiver,
                "of": receipt.receiver,
                "where": f"/receivers/{receipt.receiver}/receipts/{receipt.n}",
                "reason": operation.UNTRANSLATED,
                "error": receipt.error or "",
                "attempts": 1 + receipt.replays,
                "behind": 0,
                "since": receipt.received,
            }
        case _:
            raise NotFoundError("dead letter", letter.name, hint="it waits with its subject: look for that one")


async def letter(visit: Visit) -> Response:
    opened, name = visit.opened, visit.query(("name",)).get("name", "")
    found = await find(opened.log, opened.store, name)
    return await visit.show("letter.html", each=cells_of(found), is_head=found.is_head)


async def subject(visit: Visit) -> Response:
    query = visit.query(("consumer", "subject"))
    consumer, name = query.get("consumer", ""), query.get("subject", "")
    found = await operation.show(visit.opened.store, visit.opened.services, consumer, typed(name))
    return await visit.show(
        "subject.html",
        parked=found.parked,
        subject=written(found.parked.subject),
        rows=[(letter.entry.position, cells(visit, letter.entry)) for letter in found.letters],
    )


async def redrive(visit: Visit) -> Response:
    form, opened = await visit.form(), visit.opened
    if form.get("name"):
        await opened.letters(opened.services).redrive(form["name"], who=visit.who)
        return visit.done(f"{visible(form['name'])} is given back.", "/dead")
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
    done = await opened.letters(opened.services).redrive_all(which, who=visit.who)
    entries = counted(done.entries, "entry", "entries")
    due = counted(done.subjects, "subject is", "subjects are")
    not_given = f" {number(done.failed)} could not be given back." if done.failed else ""
    step = await taken_up(opened.store, done.consumers)
    return visit.done(f"{due} due now, with {entries}: {step}.{not_given}", "/dead")


async def drop(visit: Visit) -> Response:
    form, store = await visit.form(), visit.opened.store
    consumer, name, reason = form.get("consumer", ""), typed(form.get("subject", "")), form.get("reason", "")
    chosen = form.get("position", "")
    if form.get("name"):
        await visit.opened.letters(None).drop(form["name"], reason=reason, who=visit.who)
        return visit.done(f"{visible(form['name'])} is given up.", "/dead")
    if chosen != _ALL and not (chosen.isascii() and chosen.isdigit() and len(chosen) < 19):
        raise CallerError("give up which entry? Choose one, or all of them")
    why = operation.told(reason)
    await operation.find(store, visit.opened.services, consumer, name)
    if chosen == _ALL:
        done = await operation.drop_subject(store, consumer, name, reason=why, who=visit.who)
    else:
        done = await operation.drop(store, consumer, name, position=int(chosen), reason=why, who=visit.who)
    at = ", ".join(map(number, done.positions[:AUDITED])) + " …" * (len(done.positions) > AUDITED)
    # On to all that is parked: what waited behind goes on by itself, and then this subject is parked no more.
    return visit.done(f"Given up for {consumer}: {counted(len(done.positions), 'entry', 'entries')} at {at}.", "/dead")


def _which(asked: Mapping[str, str], *, wrong: type[CallerError]) -> Which:
    state, kind = asked.get("state"), asked.get("kind")
    if state is not None and state not in ("retrying", "dead"):
        raise wrong(f"{state[:40]!r} is no state: it is retrying or dead")
    if kind is not None and kind not in LETTER_KINDS:
        raise wrong(f"{kind[:40]!r} is no kind: it is {', '.join(LETTER_KINDS)}")
    return Which(
        kind=cast(None, kind),
        consumer=asked.get("consumer"),
        endpoint=asked.get("endpoint"),
        receiver=asked.get("receiver"),
        state=cast(None, state),
        reason=asked.get("reason"),
    )
