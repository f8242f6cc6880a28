"""Reconciliation over HTTP: how far each copy is proved right, its runs, and beginning, approving and ending them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request

from tidings.api.answer import JSON_TYPE, Answer, json_answer
from tidings.api.bodies import Bodies
from tidings.api.headers import choose
from tidings.api.members import read_members, refused_as
from tidings.api.paths import segment, to_path
from tidings.api.problems import Problem
from tidings.api.queries import limit, one, read_query
from tidings.api.repeats import Repeats, need_key
from tidings.api.routing import principal_of
from tidings.app.opened import Opened
from tidings.errors import MalformedError, RefusedError
from tidings.events.codec import encode_json
from tidings.events.media import JSON
from tidings.faces.scopes import bounds_object, causes_object, finding_object, run_object
from tidings.operations.reconciling import find_run, find_scope, page_of, runs_of
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.runs.beginning import Wanted
from tidings.reconciliation.scope import Reconciliation
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Keyed


class Starting(msgspec.Struct, forbid_unknown_fields=True):
    """Which scope is run, and whether it is only planned. `apply`: also if no dry run was made of its definition."""

    scope: str
    mode: Literal["run", "plan"] = "run"
    apply: bool = False


class Approving(msgspec.Struct, forbid_unknown_fields=True):
    """How many deletes may be made."""

    at_most: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Cancelling(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is to be said."""


class Reconciliations:
    """Shows scopes and their runs, and has runs made by whoever carries the scope."""

    def __init__(self, opened: Opened, bodies: Bodies, repeats: Repeats) -> None:
        self._scopes: Mapping[str, Reconciliation] = opened.scopes
        self._clock = opened.ports.clock
        self._bodies = bodies
        self._repeats = repeats

    async def bounds(self, request: Request) -> Answer:
        """Answer how far every copy is proved right."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        found = [await each.asof() for each in self._scopes.values()]
        return json_answer({"scopes": [bounds_object(each, now=self._clock.now_us()) for each in found]})

    async def bound(self, request: Request) -> Answer:
        """Answer how far one copy is."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        found = await find_scope(self._scopes, segment(request.path_params["scope"])).asof()
        return json_answer(bounds_object(found, now=self._clock.now_us()))

    async def list(self, request: Request) -> Answer:
        """Answer runs of all scopes, or of one, newest first."""
        query = read_query(request.scope, known={"scope", "after", "limit"})
        choose(request.scope, JSON)
        name, most = one(query, "scope"), limit(query)
        scopes = [*self._scopes.values()] if name is None else [find_scope(self._scopes, name)]
        found = await runs_of(scopes, before=one(query, "after"), limit=most)
        last = found[-1][1].id if len(found) == most else None
        return json_answer({"reconciliations": [run_object(run, scope) for scope, run in found], "next": last})

    async def get(self, request: Request) -> Answer:
        """Answer one run, with what it found."""
        query = read_query(request.scope, known={"kind", "after", "limit"})
        choose(request.scope, JSON)
        scope, run = await self._run(request)
        most, after = limit(query), one(query, "after")
        its, now = await scope.findings(run=run.id), self._clock.now_us()
        page = page_of(its, kind=one(query, "kind"), after=after, limit=most)
        if page is None:
            raise MalformedError(f"after: {str(after)[:80]!r} is no finding: send the `next` of the page before")
        may_see = "views:read" in principal_of(request.scope).scopes
        found = [finding_object(each, now=now, values=may_see) for each in page]
        last = page[-1].id if len(page) == most else None
        shown = {**run_object(run, scope.scope.name), "causes": causes_object(its, now=now)}
        return json_answer({**shown, "findings": found, "next": last})

    async def begin(self, request: Request) -> Answer:
        """Begin a run. `already-running`."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, Starting)
        who = principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            scope, wanted = find_scope(self._scopes, asked.scope), Wanted(mode=asked.mode, applies=asked.apply)
            return _begun(request, scope, await scope.begin(wanted, who=who, store=keyed.store))

        return await self._repeats.once(request.scope, "POST /reconciliations", key, body, act)

    async def approve(self, request: Request) -> Answer:
        """Begin a run that may make the deletes that one has held, up to so many. `endpoint-state`."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, Approving)
        who = principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            scope, held = await self._run(request)
            with refused_as(Problem.ENDPOINT_STATE, RefusedError):
                approval = await scope.approval(held.id, at_most=asked.at_most)
                wanted = Wanted(mode="approve", applies=True, approval=approval)
                run = await scope.begin(wanted, who=who, of=held.id, store=keyed.store)
            return _begun(request, scope, run)

        return await self._repeats.once(request.scope, "POST /reconciliations/{run}/approve", key, body, act)

    async def cancel(self, request: Request) -> Answer:
        """End a run that is under way; one that has ended is `endpoint-state`."""
        read_query(request.scope, known=())
        await read_members(self._bodies, request, Cancelling)
        scope, run = await self._run(request)
        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            ended = await scope.cancel(run.id, who=principal_of(request.scope).who)
        return json_answer(run_object(ended, scope.scope.name))

    async def _run(self, request: Request) -> tuple[Reconciliation, Run]:
        return await find_run(self._scopes, segment(request.path_params["run"]))


def _begun(request: Request, scope: Reconciliation, run: Run) -> Answer:
    location = (request.scope.get("tidings.root", "") + to_path("reconciliations", run.id)).encode("ascii")
    return Answer(202, (JSON_TYPE, (b"location", location)), encode_json(run_object(run, scope.scope.name)))
