"""Calls to the outside over HTTP: which there are, each attempt at one, retrying one, and cancelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from tidings.api.answer import Answer, json_answer
from tidings.api.bodies import Bodies
from tidings.api.filters import time_of
from tidings.api.headers import choose
from tidings.api.members import read_members, refused_as
from tidings.api.paths import segment
from tidings.api.problems import Problem
from tidings.api.queries import Query, limit, one, read_query
from tidings.api.routing import principal_of
from tidings.app.opened import Opened
from tidings.errors import MalformedError, RefusedError
from tidings.events.media import JSON
from tidings.faces.deliveries import attempt_objects, delivery_object
from tidings.operations import deliveries
from tidings.store.deliveries import STATES, DeliveryFilter, no_delivery

_KNOWN = frozenset(
    {"state", "service", "function", "endpoint", "type", "subject", "reason", "from", "to", "after", "limit"}
)


class Retrying(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is to be said."""


class Cancelling(msgspec.Struct, forbid_unknown_fields=True):
    """Why, if it is to be known; the audit keeps it."""

    reason: str = ""


class Deliveries:
    """Shows deliveries, tries them again and cancels them."""

    def __init__(self, opened: Opened, bodies: Bodies) -> None:
        self._store = opened.store
        self._services = tuple(opened.services)
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
        found = await deliveries.deliveries(
            self._store, self._services, state, where=_where(query), after=after, limit=most
        )
        last = found[-1]["key"] if len(found) == most else None
        return json_answer({"deliveries": [delivery_object(each) for each in found], "next": last})

    async def get(self, request: Request) -> Answer:
        """Answer one delivery."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        return json_answer(delivery_object(await self._found(_name(request))))

    async def attempts(self, request: Request) -> Answer:
        """Answer the tries of one delivery that are still kept, oldest first."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        name = _name(request)
        await self._found(name)
        return json_answer({"attempts": attempt_objects(await self._store.attempts(name))})

    async def retry(self, request: Request) -> Answer:
        """Have one that is due, or dead, called now; a dead one has all its attempts anew."""
        read_query(request.scope, known=())
        await read_members(self._bodies, request, Retrying)
        name = _name(request)
        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            await deliveries.retry(self._store, name, self._clock, who=principal_of(request.scope).who)
        return json_answer(delivery_object(await self._found(name)), status=202)

    async def cancel(self, request: Request) -> Answer:
        """Close one that is open or dead: it is called no more."""
        read_query(request.scope, known=())
        _, asked = await read_members(self._bodies, request, Cancelling)
        name, who = _name(request), principal_of(request.scope).who
        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            await deliveries.cancel(self._store, name, self._clock, who=who, reason=asked.reason)
        return json_answer(delivery_object(await self._found(name)))

    async def _found(self, key: str) -> Mapping[str, Any]:
        found = await self._store.delivery(key)
        if found is None:
            raise no_delivery(key)
        return found


def _name(request: Request) -> str:
    return segment(request.path_params["key"])


def _where(query: Query) -> DeliveryFilter:
    return DeliveryFilter(
        service=one(query, "service"),
        function=one(query, "function"),
        endpoint=one(query, "endpoint"),
        type=one(query, "type"),
        subject=one(query, "subject"),
        reason=one(query, "reason"),
        since=time_of(query, "from"),
        until=time_of(query, "to"),
    )
