"""Endpoints that fetch what they are sent: a page, and the word that it arrived, with the next one or by itself."""

from __future__ import annotations

import msgspec
from starlette.requests import Request

from tidings.api.answer import Answer, json_answer
from tidings.api.bodies import Bodies
from tidings.api.headers import choose
from tidings.api.members import read_members, refused_as
from tidings.api.paths import segment
from tidings.api.problems import Problem
from tidings.api.queries import limit, one, read_query
from tidings.api.waiting import Waiting
from tidings.app.opened import Opened
from tidings.errors import MalformedError, RefusedError
from tidings.events.media import JSON
from tidings.faces.polling import page_object
from tidings.faces.tokens import Tokens
from tidings.operations.polling import PolledPage

LOOK_SECONDS = 1.0
"""How long a poll that waits does not look at most: what it waits for may have been added by another process."""
_KNOWN = frozenset({"limit", "iterator", "signed"})


class Committing(msgspec.Struct, forbid_unknown_fields=True):
    """Of the page that arrived."""

    iterator: str


class Polling:
    """Serves those who poll."""

    def __init__(self, opened: Opened, tokens: Tokens, bodies: Bodies, waiting: Waiting) -> None:
        self._polling = opened.polling
        self._added = opened.webhooks.added
        self._tokens = tokens
        self._bodies = bodies
        self._waiting = waiting

    async def poll(self, request: Request) -> Answer:
        """Commit the page whose iterator is given, and answer the next one; with `Prefer: wait` once there is one."""
        query = read_query(request.scope, known=_KNOWN)
        choose(request.scope, JSON)
        name, most, iterator, signed = _name(request), limit(query), one(query, "iterator"), one(query, "signed")
        if signed not in (None, "true", "false"):
            raise MalformedError(f"signed: {signed[:20]!r} is neither true nor false")
        patience, found, before = self._waiting.patience(request.scope), list[PolledPage](), [0]

        async def look() -> bool:
            before[:] = [self._added.count]  # so that nothing can come between the look and the pause
            found[:] = [await self._polling.page(name, limit=most)]
            return bool(found[0].deliveries)

        async def pause(left: float) -> None:
            await self._added.beyond(before[0], seconds=min(left, LOOK_SECONDS))

        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            if iterator is not None:
                await self._polling.commit(name, iterator)
            with self._waiting.counted():
                await patience.until(look, pause=pause)
        return json_answer(page_object(self._tokens, found[0], is_signed=signed == "true"), *patience.headers)

    async def commit(self, request: Request) -> Answer:
        """Commit a page without asking for the next one."""
        read_query(request.scope, known=())
        _, asked = await read_members(self._bodies, request, Committing)
        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            done = await self._polling.commit(_name(request), asked.iterator)
        return json_answer({"endpoint": _name(request), "committed": done})


def _name(request: Request) -> str:
    return segment(request.path_params["endpoint"])
