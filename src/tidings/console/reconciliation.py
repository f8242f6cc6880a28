"""Reconciliation: how far each copy is proved right, its runs, what they found, and approving what they hold."""

from __future__ import annotations

from collections import Counter

from starlette.responses import Response

from tidings.console.visit import Visit
from tidings.errors import MalformedError
from tidings.faces.scopes import KINDS, causes_object, run_object
from tidings.operations.reconciling import find_scope, page_of
from tidings.reconciliation.kept.attributing import is_in_flight
from tidings.reconciliation.kept.excepting import EXCEPTIONS_MAX
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.listing import EndpointScope
from tidings.reconciliation.runs.beginning import Wanted
from tidings.reconciliation.scope import Reconciliation

PATH = "/reconciliation"
SHOWN = 50


async def every(visit: Visit) -> Response:
    visit.query(())
    found = [await each.asof() for each in visit.opened.scopes.values()]
    return await visit.show("reconciliation.html", scopes=found, now=visit.opened.ports.clock.now_us())


async def one(visit: Visit) -> Response:
    asked = visit.query(("after",))
    scope = _scope(visit)
    name, after = scope.scope.name, asked.get("after")
    found = await scope.runs(before=after, limit=SHOWN + 1)
    runs = found[:SHOWN]
    return await visit.show(
        "scope.html",
        each=await scope.asof(),
        copy=f"{scope.scope.service}.{scope.view}",
        endpoint=_endpoint(scope),
        is_party=scope.pushing is not None,
        is_sent=scope.mirror is None,
        most=EXCEPTIONS_MAX,
        now=visit.opened.ports.clock.now_us(),
        runs=runs,
        is_first=after is None,
        first=visit.link(f"{PATH}/{name}"),
        next=visit.link(f"{PATH}/{name}", after=runs[-1].id) if len(found) > SHOWN else None,
    )


async def run(visit: Visit) -> Response:
    asked = visit.query(("kind", "after"))
    scope, kind, after = _scope(visit), asked.get("kind"), asked.get("after")
    if kind not in (None, *KINDS):
        raise MalformedError(f"{str(kind)[:40]!r} is no kind of finding: it is {', '.join(KINDS)}")
    shown = await _run(visit, scope)
    every = await scope.findings(run=shown.id)
    found = page_of(every, kind=kind, after=after, limit=SHOWN + 1)
    if found is None:
        raise MalformedError("there is no such finding: begin with the first page")
    here = f"{PATH}/{scope.scope.name}/{shown.id}"
    return await visit.show(
        "run.html",
        scope=scope.scope.name,
        is_sent=scope.mirror is None,
        repaired=_repaired(scope),
        holds=scope.holds,
        run=shown,
        about=run_object(shown, scope.scope.name),
        now=visit.opened.ports.clock.now_us(),
        causes=causes_object(every, now=visit.opened.ports.clock.now_us()),
        is_in_flight=is_in_flight,
        kinds=sorted(Counter(each.kind for each in every).items()),
        kind=kind,
        findings=found[:SHOWN],
        is_first=after is None,
        first=visit.link(here, kind=kind),
        next=visit.link(here, kind=kind, after=found[SHOWN - 1].id) if len(found) > SHOWN else None,
    )


async def begin(visit: Visit) -> Response:
    """Have it run, or planned. One that is sent twice finds the first under way."""
    form, scope = await visit.form(), _scope(visit)
    mode = form.get("mode", "")
    if mode not in ("run", "plan"):
        raise MalformedError("it is run, or planned")
    begun = await scope.begin(Wanted(mode="plan" if mode == "plan" else "run"), who=visit.who)
    done = "planned" if begun.is_dry else "run"
    return visit.done(f"{scope.scope.name} is {done} as soon as its process looks.", _at(scope, begun.id))


async def approve(visit: Visit) -> Response:
    form, scope = await visit.form(), _scope(visit)
    held = await _run(visit, scope)
    text = form.get("at_most", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 7):
        raise MalformedError("say how many items it may be at most, as a whole number")
    approval = await scope.approval(held.id, at_most=int(text))
    wanted = Wanted(mode="approve", applies=True, approval=approval)
    begun = await scope.begin(wanted, who=visit.who, of=held.id)
    return visit.done(f"Everything is listed once more, and what is gone is {_repaired(scope)}.", _at(scope, begun.id))


async def cancel(visit: Visit) -> Response:
    await visit.form()
    scope = _scope(visit)
    ended = await scope.cancel(visit.segment("run"), who=visit.who)
    return visit.done("The run is cancelled.", _at(scope, ended.id))


def _endpoint(scope: Reconciliation) -> str:
    """Return the endpoint whose receiver is asked; nothing of a scope that is a copy."""
    return scope.scope.endpoint if isinstance(scope.scope, EndpointScope) else ""


def _repaired(scope: Reconciliation) -> str:
    """Return what is done about an item that is not listed."""
    return "deleted" if scope.mirror is not None else "sent again" if _endpoint(scope) else "pushed again, or removed"


def _scope(visit: Visit) -> Reconciliation:
    return find_scope(visit.opened.scopes, visit.segment("scope"))


async def _run(visit: Visit, scope: Reconciliation) -> Run:
    return await scope.that(visit.segment("run"))


def _at(scope: Reconciliation, run: str) -> str:
    return f"{PATH}/{scope.scope.name}/{run}"
