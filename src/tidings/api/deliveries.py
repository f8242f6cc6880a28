"""Calls to the outside over HTTP: which there are, what became of each, and trying a dead one again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from starlette.requests import Request

from tidings.api.answer import Answer, json_answer
from tidings.api.bodies import Bodies
from tidings.api.headers import choose
from tidings.api.members import read_members
from tidings.api.paths import segment
from tidings.api.problems import Problem, Refusal
from tidings.api.queries import limit, one, read_query
from tidings.app.opened import Opened
from tidings.errors import MalformedError, NotFoundError
from tidings.events.media import JSON
from tidings.events.timestamp import time_text
from tidings.operations import deliveries

STATES = ("pending", "done", "dead")
_SHOWN = ("key", "service", "function", "state", "attempts", "next_at", "reason", "error")
_KNOWN = frozenset({"state", "after", "limit"})


class Attempting(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is to be said."""


class Deliveries:
    """Shows deliveries and tries them again."""

    def __init__(self, opened: Opened, bodies: Bodies) -> None:
        self._store = opened.store
        self._clock = opened.ports.clock
        self._bodies = bodies

    async def list(self, request: Request) -> Answer:
        """Answer deliveries, oldest first."""
        query = read_query(request.scope, known=_KNOWN)
        choose(request.scope, JSON)
        state, after, most = one(query, "state"), one(query, "after"), limit(query)
        if state not in (None, *STATES):
            raise MalformedError(f"state: {str(state)[:40]!r} is none; there is {', '.join(STATES)}")
        if after is not None and await self._store.delivery(after) is None:
            raise MalformedError(f"after: {after[:80]!r} is no delivery: send the `next` of the page before")
        wanted = cast(deliveries.State | None, state)
        found = await self._store.deliveries(wanted, after=after, limit=most)
        last = found[-1]["key"] if len(found) == most else None
        return json_answer({"deliveries": [_object(each) for each in found], "next": last})

    async def get(self, request: Request) -> Answer:
        """Answer one delivery."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        return json_answer(_object(await self._found(_name(request))))

    async def attempt(self, request: Request) -> Answer:
        """Have a dead one called again, with all its attempts; one that is pending is due already."""
        read_query(request.scope, known=())
        await read_members(self._bodies, request, Attempting)
        name = _name(request)
        found = await self._found(name)
        if found["state"] == "done":
            raise Refusal(Problem.ENDPOINT_STATE, f"the delivery {name[:100]!r} is done: there is nothing to try again")
        if found["state"] == "dead":
            await deliveries.retry(self._store, name, self._clock)
        return json_answer(_object(await self._found(name)), status=202)

    async def _found(self, key: str) -> Mapping[str, Any]:
        found = await self._store.delivery(key)
        if found is None:
            raise NotFoundError(f"there is no delivery {key[:100]!r}; GET /deliveries lists those there are")
        return found


def _name(request: Request) -> str:
    return segment(request.path_params["key"])


def _object(delivery: Mapping[str, Any]) -> dict[str, Any]:
    """Return a delivery as the API shows it: without the payload, which may hold what only its receiver may see."""
    due = delivery["next_at"]
    shown = {name: delivery[name] for name in _SHOWN}
    return {**shown, "next_at": None if due is None else time_text(due)}
