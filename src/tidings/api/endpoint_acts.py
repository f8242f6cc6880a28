"""What is done with an endpoint over HTTP: tested, paused, resumed, and sent to again."""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.requests import Request

from tidings.api.answer import Answer, Scope, json_answer
from tidings.api.bodies import Bodies
from tidings.api.endpoints import within
from tidings.api.members import read_members, refused_as
from tidings.api.paths import segment
from tidings.api.preconditions import etag_header, etag_of
from tidings.api.problems import Problem, Refusal
from tidings.api.queries import read_query
from tidings.api.repeats import Repeats, fingerprint, need_key
from tidings.api.routing import principal_of
from tidings.app.opened import Opened
from tidings.errors import RefusedError
from tidings.events.filter import Filter
from tidings.faces.endpoints import again_object, endpoint_object, tested_object
from tidings.faces.tokens import Tokens
from tidings.operations.endpoint_again import Again, Wanted
from tidings.operations.endpoint_shown import Shown
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Range
from tidings.store.keyed import Keyed
from tidings.webhooks.deliver.sendings import NEW_IDS

REASON_MAX = 500


class Testing(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is to be said."""


class Pausing(msgspec.Struct, forbid_unknown_fields=True):
    """Why, if it is to be known; whether it is only paused, or disabled."""

    reason: str | None = None
    state: Literal["paused", "disabled"] = "paused"


class Recovering(msgspec.Struct, forbid_unknown_fields=True):
    """Of which positions: those after the one and up to the other; all, if nothing is said."""

    after: str | None = None
    to: str | None = None
    dry_run: bool = False


class Replaying(msgspec.Struct, forbid_unknown_fields=True):
    """Which entries: of the positions, of these types, this source and subject, as far as the pattern takes them."""

    after: str | None = None
    to: str | None = None
    types: list[str] | None = None
    source: str | None = None
    subject: str | None = None
    missing_only: bool = False
    new_id: bool = False
    dry_run: bool = False


class EndpointActs:
    """Operates endpoints."""

    def __init__(self, opened: Opened, tokens: Tokens, bodies: Bodies, repeats: Repeats) -> None:
        self._log = opened.log
        self._operations = opened.endpoints
        self._tokens = tokens
        self._bodies = bodies
        self._repeats = repeats

    async def test(self, request: Request) -> Answer:
        """Send it one event that is marked as a test, as any other is sent."""
        scope, name = request.scope, _name(request)
        read_query(scope, known=())
        key = need_key(scope)
        body, _ = await read_members(self._bodies, request, Testing)

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            with refused_as(Problem.ENDPOINT_STATE, RefusedError):
                delivery = await within(self._operations, keyed).test(name, who=principal_of(scope).who)
            return json_answer(tested_object(name, delivery), status=202)

        return await self._repeats.once(scope, "POST /endpoints/{endpoint}/test", key, body, act)

    async def pause(self, request: Request) -> Answer:
        """Hold what is open and what comes."""
        read_query(request.scope, known=())
        _, asked = await read_members(self._bodies, request, Pausing)
        reason = " ".join((asked.reason or "").split()) or "operator"
        if len(reason) > REASON_MAX:
            why = f"it has {len(reason):,} characters: say it in {REASON_MAX}"
            raise Refusal(Problem.INVALID_CONFIGURATION, f"reason: {why}", errors=[("/reason", why)])
        who = principal_of(request.scope).who
        return _shown(await self._operations.pause(_name(request), reason=reason, state=asked.state, who=who))

    async def resume(self, request: Request) -> Answer:
        """Let a paused or disabled one go on. `endpoint-state` if it is neither."""
        read_query(request.scope, known=())
        await read_members(self._bodies, request, Testing)
        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            return _shown(await self._operations.resume(_name(request), who=principal_of(request.scope).who))

    async def recover(self, request: Request) -> Answer:
        """Have what is dead made again, chunk by chunk; who repeats what was cut short goes on with it."""
        scope, name = request.scope, _name(request)
        read_query(scope, known=())
        key = need_key(scope)
        body, asked = await read_members(self._bodies, request, Recovering)
        who = principal_of(scope).who

        async def act() -> Answer:
            where = await self._range(asked.after, asked.to)
            return self._again(await self._operations.recover(name, where, dry_run=asked.dry_run, who=who))

        return await self._repeats.resumed(scope, "POST /endpoints/{endpoint}/recover", key, body, act)

    async def replay(self, request: Request) -> Answer:
        """Send entries of the log again, in a run of the request's own. `cannot-replay`; `position-expired`."""
        scope, name = request.scope, _name(request)
        read_query(scope, known=())
        key = need_key(scope)
        body, asked = await read_members(self._bodies, request, Replaying)
        who, run = principal_of(scope).who, _run(scope, key, body, new_id=asked.new_id)

        async def act() -> Answer:
            wanted = Wanted(
                within=await self._range(asked.after, asked.to),
                where=Filter(
                    types=None if asked.types is None else frozenset(asked.types),
                    source=asked.source,
                    subject=asked.subject,
                ),
                missing_only=asked.missing_only,
                new_id=asked.new_id,
                run=run,
                dry_run=asked.dry_run,
            )
            with refused_as(Problem.CANNOT_REPLAY):
                return self._again(await self._operations.replay(name, wanted, who=who))

        return await self._repeats.resumed(scope, "POST /endpoints/{endpoint}/replay", key, body, act)

    async def _range(self, after: str | None, to: str | None) -> Range:
        head = (await self._log.head()).position
        begin = 0 if after is None else self._tokens.read(after, name="after")
        end = head if to is None else min(self._tokens.read(to, name="to"), head)
        if to is not None and begin > end:
            why = "it lies before `after`: no position is in between"
            raise Refusal(Problem.INVALID_CONFIGURATION, f"to: {why}", errors=[("/to", why)])
        return Range(after=begin, to=end)

    def _again(self, done: Again) -> Answer:
        return json_answer(again_object(self._tokens, done), status=200 if done.dry_run else 202)


def _run(scope: Scope, key: str, body: bytes, *, new_id: bool) -> str:
    """Return the name of the run of a request: that of its repetitions, and of no other's."""
    mark = fingerprint(scope, b"\0".join((principal_of(scope).owner.encode(), key.encode(), body))).hex()[:24]
    return f"{NEW_IDS if new_id else 'r-'}{mark}"


def _name(request: Request) -> str:
    return segment(request.path_params["endpoint"])


def _shown(found: Shown) -> Answer:
    return json_answer(endpoint_object(found), etag_header(etag_of(found.created, found.version)))
