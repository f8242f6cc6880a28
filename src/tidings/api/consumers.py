"""Consumers as operators see them: how far each is, who holds it, and pausing, resuming and replaying it."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request

from tidings.api.answer import Answer, json_answer
from tidings.api.bodies import Bodies
from tidings.api.headers import choose
from tidings.api.members import read_members, refused_as
from tidings.api.paths import segment
from tidings.api.problems import Problem, Refusal
from tidings.api.queries import read_query
from tidings.api.reading import Reading
from tidings.api.repeats import Repeats, need_key
from tidings.api.routing import principal_of
from tidings.app.opened import Opened
from tidings.errors import EnvelopeError, NotFoundError, RefusedError
from tidings.events.media import JSON
from tidings.events.timestamp import time_us
from tidings.faces.consumers import consumer_object, replayed_object
from tidings.faces.tokens import Tokens
from tidings.operations import pausing
from tidings.operations.lag import ConsumerLag, lag
from tidings.operations.replay import replay_from_position, replay_from_time
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Keyed


class Pausing(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is paused; whoever finds it paused will want to know."""

    reason: str


class Resuming(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is to be said."""


class Replaying(msgspec.Struct, forbid_unknown_fields=True):
    """Where to begin again: with the entry at a position, or with what was recorded from a time on."""

    from_position: str | None = None
    from_time: str | None = None


class Consumers:
    """Shows consumers and operates them."""

    def __init__(self, opened: Opened, tokens: Tokens, bodies: Bodies, repeats: Repeats) -> None:
        self._log = opened.log
        self._store = opened.store
        self._services = tuple(opened.services)
        self._clock = opened.ports.clock
        self._tokens = tokens
        self._reading = Reading(opened.log, tokens)
        self._bodies = bodies
        self._repeats = repeats

    async def list(self, request: Request) -> Answer:
        """Answer every consumer, by name."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        found = await lag(self._log, self._store, self._clock, self._services)
        head = max((each.head for each in found), default=0) or (await self._log.head()).position
        return json_answer({"consumers": [await self._object(each) for each in found]}, self._reading.reflects(head))

    async def get(self, request: Request) -> Answer:
        """Answer one consumer."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        return await self._shown(_name(request))

    async def pause(self, request: Request) -> Answer:
        """Stop it for a reason; again with another reason is that reason."""
        read_query(request.scope, known=())
        _, asked = await read_members(self._bodies, request, Pausing)
        with refused_as(Problem.CANNOT_REPLAY, RefusedError), refused_as(Problem.INVALID_CONFIGURATION):
            await pausing.pause(
                self._store, self._services, _name(request), reason=asked.reason, who=principal_of(request.scope).who
            )
        return await self._shown(_name(request))

    async def resume(self, request: Request) -> Answer:
        """Let it go on where it stands."""
        read_query(request.scope, known=())
        await read_members(self._bodies, request, Resuming)
        with refused_as(Problem.CANNOT_REPLAY, RefusedError):
            await pausing.resume(self._store, self._services, _name(request), who=principal_of(request.scope).who)
        return await self._shown(_name(request))

    async def replay(self, request: Request) -> Answer:
        """Set it back; up to its gate nothing is emitted or delivered a second time. `cannot-replay`."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, Replaying)
        name, begin, who = _name(request), self._begin(asked), principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            with refused_as(Problem.CANNOT_REPLAY, RefusedError), refused_as(Problem.INVALID_CONFIGURATION):
                if asked.from_time is not None:
                    done = await replay_from_time(self._log, keyed.store, self._services, name, begin, who=who)
                else:
                    done = await replay_from_position(self._log, keyed.store, self._services, name, begin, who=who)
            return json_answer(replayed_object(self._tokens, done), status=202)

        return await self._repeats.once(request.scope, "POST /consumers/{consumer}/replay", key, body, act)

    def _begin(self, asked: Replaying) -> int:
        """Return the position, or the time, from which on entries are to come again."""
        if (asked.from_position is None) == (asked.from_time is None):
            raise Refusal(Problem.INVALID_CONFIGURATION, "say where to begin: from_position or from_time, one of them")
        if asked.from_position is not None:
            return self._tokens.read(asked.from_position, name="from_position")
        try:
            return time_us(asked.from_time or "")
        except EnvelopeError as error:
            why = str(error).removeprefix("time: ")
            raise Refusal(Problem.INVALID_CONFIGURATION, f"from_time: {why}", errors=[("/from_time", why)]) from None

    async def _shown(self, name: str) -> Answer:
        there = {each.name: each for each in await lag(self._log, self._store, self._clock, self._services)}
        if name not in there:
            raise NotFoundError("consumer", name, there)
        return json_answer(await self._object(there[name]), self._reading.reflects(there[name].head))

    async def _object(self, found: ConsumerLag) -> dict[str, Any]:
        return consumer_object(self._tokens, found, await self._store.checkpoints(found.name))


def _name(request: Request) -> str:
    return segment(request.path_params["consumer"])
