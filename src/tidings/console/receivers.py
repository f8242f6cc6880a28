"""Receivers: what came to each, what it became, why some of it was refused, and translating it again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from starlette.responses import Response

from tidings.app.receiving import receivers_of
from tidings.console.texts import lines_of
from tidings.console.visit import Visit
from tidings.errors import CallerError, EnvelopeError, MalformedError, StoreUnavailableError
from tidings.events.timestamp import time_us
from tidings.faces.receivers import OUTCOMES, headers_of, receipt_object
from tidings.operations.receiver_reasons import REASONS
from tidings.operations.receiver_shown import NEWEST
from tidings.operations.receivers import NONCE_BITS
from tidings.store.receipts import Receipt, ReceiptOutcome, Stored
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.receive.presets import PRESETS
from tidings.wording import counted

SHOWN = 50
LISTED = 1_000
_TIMES = ("from", "to")
_NONCE = re.compile(rf"[0-9a-f]{{{NONCE_BITS // 4}}}")
_MASK = b"***"
_SECRET_MIN = 6  # characters: a shorter one would be found in anything


async def every(visit: Visit) -> Response:
    visit.query(())
    found = await receivers_of(visit.opened).list(limit=LISTED)
    return await visit.show(
        "receivers.html",
        receivers=found,
        most=NEWEST,
        refused={each.id: sum(visit.opened.telemetry.rejections(each.id).values()) for each in found},
    )


async def one(visit: Visit) -> Response:
    asked = visit.query(("outcome", *_TIMES, "after"))
    id, outcome = visit.segment("receiver"), asked.get("outcome")
    shown = await receivers_of(visit.opened).show(id)
    if outcome not in (None, *OUTCOMES):
        raise MalformedError(f"{str(outcome)[:40]!r} is no outcome: it is {', '.join(OUTCOMES)}")
    found = await _receipts(visit, id, asked)
    receipts, filters = found[:SHOWN], {name: asked.get(name, "") for name in _TIMES}
    here = f"/receivers/{id}"
    is_more = len(found) > SHOWN
    rejections = visit.opened.telemetry.rejections(id)
    return await visit.show(
        "receiver.html",
        each=shown,
        most=NEWEST,
        page=PRESETS[shown.preset].page if shown.preset in PRESETS else "",
        refusals=[(count, reason, REASONS[cast(Any, reason)]) for reason, count in sorted(rejections.items())],
        receipts=[receipt_object(each) | {"came": each.received} for each in receipts],
        outcomes=OUTCOMES,
        outcome=outcome,
        asked=filters,
        is_filtered=any(filters.values()),
        is_first="after" not in asked,
        first=visit.link(here, outcome=outcome, **filters),
        next=visit.link(here, outcome=outcome, **filters, after=receipts[-1].n) if is_more else None,
    )


async def _receipts(visit: Visit, id: str, asked: Mapping[str, str]) -> list[Receipt]:
    """Return receipts, one more than are shown. MalformedError for times and places that are none."""
    try:
        since, until = (None if name not in asked else time_us(asked[name]) for name in _TIMES)
    except EnvelopeError as error:
        raise MalformedError(f"a time is written as 2026-05-04T10:00:00Z: {error}") from None
    after = asked.get("after")
    outcome = cast("ReceiptOutcome | None", asked.get("outcome"))
    return list(
        await visit.opened.store.receipts(
            id,
            outcome=outcome,
            since=since,
            until=until,
            before=None if after is None else _number(after),
            limit=SHOWN + 1,
        )
    )


async def receipt(visit: Visit) -> Response:
    visit.query(())
    opened, id = visit.opened, visit.segment("receiver")
    found = await receivers_of(opened).receipt(id, _number(visit.segment("n")))
    stored = await opened.store.stored_receipt(found.n)
    body, is_cut = (None, False) if stored is None else lines_of(_hidden(stored, await _find(visit, id)))
    return await visit.show(
        "receipt.html",
        each=found,
        events=receipt_object(found)["events"],
        request=None if stored is None else _line(stored),
        headers=[] if stored is None else headers_of(stored),
        body=body if visit.may("events:read") else None,
        is_cut=is_cut,
        nonce=f"{opened.ports.random.getrandbits(NONCE_BITS):0{NONCE_BITS // 4}x}",
    )


async def _find(visit: Visit, id: str) -> Receiver | None:
    try:
        return await visit.opened.roster.find(id)
    except StoreUnavailableError:  # what is secret of it cannot be read here
        return None


def _line(stored: Stored) -> str:
    query = stored.query.decode("latin-1")
    return f"{stored.method} /hooks/{stored.receipt.receiver}" + (f"?{query}" if query else "")


def _hidden(stored: Stored, receiver: Receiver | None) -> bytes:
    """Return the body, without the receiver's secrets: some providers send them in it rather than sign."""
    body = stored.body
    if receiver is not None:
        texts = [*(key.text for key in receiver.keys), *receiver.settings.values()]
        for text in texts:
            if len(text) >= _SECRET_MIN:
                body = body.replace(text.encode(), _MASK)
    return body


async def replay(visit: Visit) -> Response:
    """Translate it again. A form that is sent twice is the same replay."""
    form, id = await visit.form(), visit.segment("receiver")
    n, nonce = _number(visit.segment("n")), form.get("nonce", "")
    if not _NONCE.fullmatch(nonce):
        raise CallerError("the form lacks what makes it one replay: load the page again")
    done = await receivers_of(visit.opened).replay(id, n, nonce=nonce, who=visit.who)
    here = f"/receivers/{id}/receipts/{n}"
    if done.error is not None:
        return visit.done(f"The receipt {n} is still no events.", here)
    return visit.done(f"The receipt {n} is translated again: {counted(len(done.events), 'event')}.", here)


async def retire(visit: Visit) -> Response:
    form, id = await visit.form(), visit.segment("receiver")
    if form.get("id", "").strip() != id:
        raise CallerError(f"to retire it, write its id, {id!r}, into the field")
    await receivers_of(visit.opened).retire(id, who=visit.who)
    return visit.done(f"{id} is retired: it takes nothing any more.", f"/receivers/{id}")


async def reopen(visit: Visit) -> Response:
    await visit.form()
    id = visit.segment("receiver")
    await receivers_of(visit.opened).change(id, {}, who=visit.who)
    return visit.done(f"{id} takes webhooks again.", f"/receivers/{id}")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MalformedError(f"{text[:40]!r} is no receipt: open it from the list")
    return int(text)
