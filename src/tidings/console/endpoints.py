"""Endpoints: how each fares, what waits for it, and the changes an operator makes to one."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from tidings.console.texts import line_of
from tidings.console.visit import Visit
from tidings.errors import CallerError
from tidings.events.codec import encode_json
from tidings.events.timestamp import time_us
from tidings.faces.visible import visible
from tidings.operations.endpoint_again import Again, Wanted, new_run
from tidings.operations.endpoint_shown import Shown
from tidings.store.endpoint_deliveries import COUNTED, Range
from tidings.webhooks.deliver.secrets import GRACE_MAX_S, GRACE_S
from tidings.wording import counted

SHOWN = 100
LAST = 10
REASON_MAX = 500
HOUR_S = 3_600


async def every(visit: Visit) -> Response:
    asked = visit.query(("after",))
    found = await visit.opened.endpoints.list(after=asked.get("after"), limit=SHOWN + 1)
    shown = found[:SHOWN]
    return await visit.show(
        "endpoints.html",
        endpoints=shown,
        most=COUNTED,
        is_first="after" not in asked,
        next=visit.link("/endpoints", after=shown[-1].id) if len(found) > SHOWN else None,
    )


async def one(visit: Visit) -> Response:
    visit.query(())
    opened, id = visit.opened, visit.segment("endpoint")
    shown = await opened.endpoints.show(id)
    last = await opened.store.last_deliveries(id, limit=LAST) if visit.may("deliveries:read") else ()
    return await visit.show(
        "endpoint.html",
        each=shown,
        most=COUNTED,
        now=opened.ports.clock.now_us(),
        configured=_configured(shown),
        last=last,
        reason_max=REASON_MAX,
        grace_hours=GRACE_S // HOUR_S,
        grace_hours_max=GRACE_MAX_S // HOUR_S,
    )


def _configured(shown: Shown) -> list[tuple[str, str]]:
    """Return what was configured, each member with its JSON, but for text; of headers their names."""
    members = {**shown.members, "headers": sorted(shown.members["headers"])}
    return [
        (name, visible(value) if isinstance(value, str) else line_of(encode_json(value)))
        for name, value in members.items()
        if value not in (None, {}, []) and name != "pin"
    ]


async def pause(visit: Visit) -> Response:
    form, id = await visit.form(), visit.segment("endpoint")
    reason = " ".join(form.get("reason", "").split()) or "operator"
    if len(reason) > REASON_MAX:
        raise CallerError(f"the reason has {len(reason):,} characters: say it in {REASON_MAX}")
    await visit.opened.endpoints.pause(id, reason=reason, who=visit.who)
    return _done(visit, f"{id} is paused: what is open and what comes is held.")


async def resume(visit: Visit) -> Response:
    await visit.form()
    id = visit.segment("endpoint")
    await visit.opened.endpoints.resume(id, who=visit.who)
    return _done(visit, f"{id} goes on, with what was held first.")


async def test(visit: Visit) -> Response:
    await visit.form()
    id = visit.segment("endpoint")
    delivery = await visit.opened.endpoints.test(id, who=visit.who)
    return _done(visit, f"A test event is on its way to {id}, as the delivery {delivery}.")


async def recover(visit: Visit) -> Response:
    """Count what is dead, and ask; once that is said, have it made again."""
    form, id = await visit.form(), visit.segment("endpoint")
    within, is_asked = await _range(visit, form), "confirmed" in form
    done = await visit.opened.endpoints.recover(id, within, dry_run=not is_asked, who=visit.who)
    if not is_asked:
        return await _ask(visit, "recover", done, {})
    return _done(visit, f"{_deliveries(done)} made again for {id}, oldest first.")


async def replay(visit: Visit) -> Response:
    """Count the entries, and ask; once that is said, have them sent. A form that is sent twice is the same run."""
    form, id = await visit.form(), visit.segment("endpoint")
    within, is_asked, is_new = await _range(visit, form), "confirmed" in form, "new_id" in form
    run = form.get("run") or new_run(visit.opened.ports, new_id=is_new)
    wanted = Wanted(within=within, missing_only="missing_only" in form, new_id=is_new, run=run, dry_run=not is_asked)
    done = await visit.opened.endpoints.replay(id, wanted, who=visit.who)
    if not is_asked:
        flags = {name: "yes" for name in ("missing_only", "new_id") if name in form}
        return await _ask(visit, "replay", done, {**flags, "run": run})
    return _done(visit, f"{_deliveries(done)} added for {id} from the log.")


async def _ask(visit: Visit, act: str, counted_: Again, fields: Mapping[str, str]) -> Response:
    within = {"first": str(counted_.within.after + 1), "last": str(counted_.within.to)}
    return await visit.show("again.html", act=act, again=counted_, fields={**within, **fields})


async def _range(visit: Visit, form: Mapping[str, str]) -> Range:
    """Return the positions that a form names: since a time, or from one position; up to one, or to the end."""
    log = visit.opened.log
    since, first, last = (form.get(name, "").strip() for name in ("since", "first", "last"))
    if since and first:
        raise CallerError("from where? Give a time or a position, one of them")
    head = (await log.head()).position
    after = await log.recorded_from(time_us(since)) if since else _position(first, 1) - 1
    to = min(_position(last, head), head)
    if last and to < after:
        raise CallerError(f"the last position, {to:,}, lies before the first one, {after + 1:,}: nothing is in between")
    return Range(after=after, to=max(after, to))


def _position(text: str, usual: int) -> int:
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text)):
        raise CallerError(f"{text[:40]!r} is no position: give the number that the log shows, 1 or above")
    return int(text)


async def rotate(visit: Visit) -> Response:
    """Show the new secret in the answer itself, so that it is kept nowhere."""
    form, id = await visit.form(), visit.segment("endpoint")
    hours = form.get("grace_hours", "").strip()
    if not (hours.isascii() and hours.isdigit() and len(hours) < 5):
        raise CallerError(f"{hours[:40]!r} is no number of hours: give 0 to {GRACE_MAX_S // HOUR_S}")
    made = await visit.opened.endpoints.rotate(id, grace_s=int(hours) * HOUR_S, who=visit.who)
    return await visit.show("secret.html", made=made)


async def revoke(visit: Visit) -> Response:
    form, id = await visit.form(), visit.segment("endpoint")
    secret = form.get("secret", "")
    await visit.opened.endpoints.revoke(id, secret, who=visit.who)
    return _done(visit, f"{visible(secret)} signs no more.")


async def remove(visit: Visit) -> Response:
    form, id = await visit.form(), visit.segment("endpoint")
    if form.get("id", "").strip() != id:
        raise CallerError(f"to remove it, write its id, {id!r}, into the field")
    cancelled = await visit.opened.endpoints.remove(id, who=visit.who)
    gone = counted(cancelled, "open delivery was", "open deliveries were")
    return visit.done(f"{id} is removed; {gone} cancelled.", "/endpoints")


def _deliveries(done: Again) -> str:
    return counted(done.count, "delivery is", "deliveries are")


def _done(visit: Visit, message: str) -> Response:
    return visit.done(message, f"/endpoints/{visit.segment('endpoint')}")


ACTS = (pause, resume, test, recover, replay, rotate, revoke, remove)
"""Each is at the path of its name."""
