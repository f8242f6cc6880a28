"""Dead letters over HTTP: listed, shown, given back to their handler in order, or given up for a reason."""

from __future__ import annotations

import base64
from typing import Any, Literal

import msgspec
from starlette.requests import Request

from tidings.api.answer import Answer, Scope, json_answer
from tidings.api.bodies import Bodies
from tidings.api.headers import choose
from tidings.api.members import read_members, refused_as
from tidings.api.paths import segment
from tidings.api.problems import Problem
from tidings.api.queries import Query, limit, one, read_query
from tidings.api.repeats import Repeats, need_key
from tidings.api.routing import principal_of
from tidings.app.opened import Opened
from tidings.errors import MalformedError, RefusedError
from tidings.events.cloudevents import shown, write_structured
from tidings.events.codec import encode_json
from tidings.events.media import JSON
from tidings.faces.letters import dropped_object, given_up_object, letter_object, redriven_object, whole_letter_object
from tidings.faces.tokens import Tokens
from tidings.operations import letters
from tidings.operations.dead import LETTER_KINDS, Kind, Which
from tidings.operations.letter_acts import Redriven
from tidings.operations.letters import Letter, Place
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Keyed

STATES = ("retrying", "dead")
_FILTERS = ("kind", "consumer", "endpoint", "service", "receiver", "state", "reason")
_KNOWN = frozenset({*_FILTERS, "after", "limit"})
_decode_place = msgspec.json.Decoder(Place).decode


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which ones: all that fit what is given."""

    kind: Kind | None = None
    consumer: str | None = None
    endpoint: str | None = None
    service: str | None = None
    receiver: str | None = None
    state: Literal["retrying", "dead"] | None = None
    reason: str | None = None

    @property
    def which(self) -> Which:
        return Which(**{name: getattr(self, name) for name in _FILTERS})


class Redriving(msgspec.Struct, forbid_unknown_fields=True):
    """Which ones: all, unless it says `where`. With `dry_run` they are counted and left as they are."""

    where: Where = Where()
    dry_run: bool = False


class RedrivingOne(msgspec.Struct, forbid_unknown_fields=True):
    dry_run: bool = False


class Dropping(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is given up; the audit keeps it."""

    reason: str
    dry_run: bool = False


class DroppingEach(msgspec.Struct, forbid_unknown_fields=True):
    """Which ones are given up, and why; the audit keeps it."""

    reason: str
    where: Where
    dry_run: bool = False


class Letters:
    """Shows what failed and operates it."""

    def __init__(self, opened: Opened, tokens: Tokens, bodies: Bodies, repeats: Repeats) -> None:
        self._log = opened.log
        self._store = opened.store
        self._services = tuple(opened.services)
        self._opened = opened
        self._tokens = tokens
        self._bodies = bodies
        self._repeats = repeats

    async def list(self, request: Request) -> Answer:
        """Answer the letters that failed, the oldest first; those that wait behind one are counted with it."""
        query = read_query(request.scope, known=_KNOWN)
        choose(request.scope, JSON)
        most, cursor = limit(query), one(query, "after")
        after = None if cursor is None else _read_cursor(cursor)
        found = await letters.heads(self._log, self._store, self._services, _which(query), after=after, limit=most)
        last = _write_cursor(letters.place_of(found[-1])) if len(found) == most else None
        return json_answer({"dead_letters": [letter_object(self._tokens, each) for each in found], "next": last})

    async def get(self, request: Request) -> Answer:
        """Answer one letter with its event, and which others wait with it."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        found = await letters.find(self._log, self._store, _name(request))
        names = await letters.together(self._store, found, limit=letters.TOGETHER)
        return json_answer(whole_letter_object(self._tokens, found, _event(request.scope, found), names))

    async def redrive_all(self, request: Request) -> Answer:
        """Give all that fit back, one by one; who repeats what was cut short goes on with it."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, Redriving)
        who = principal_of(request.scope).who

        async def act() -> Answer:
            with refused_as(Problem.CANNOT_REPLAY):
                done = await self._opened.letters(self._services).redrive_all(
                    asked.where.which, who=who, dry_run=asked.dry_run
                )
            return _redriven(done, dry_run=asked.dry_run)

        return await self._repeats.resumed(request.scope, "POST /dead-letters/redrive", key, body, act)

    async def redrive(self, request: Request) -> Answer:
        """Give one letter, and then what waits behind it, back to what failed with it. `not-subject-head`."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, RedrivingOne)
        name, who = _name(request), principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            with refused_as(Problem.CANNOT_REPLAY), refused_as(Problem.CANNOT_REPLAY, RefusedError):
                done = (
                    await self._opened.letters(self._services)
                    .within(keyed.store)
                    .redrive(name, who=who, dry_run=asked.dry_run)
                )
            return _redriven(done, dry_run=asked.dry_run)

        return await self._repeats.once(request.scope, "POST /dead-letters/{n}/redrive", key, body, act)

    async def drop(self, request: Request) -> Answer:
        """Give one letter up; what waits behind it goes on. `not-subject-head`."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, Dropping)
        name, who = _name(request), principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            acts = self._opened.letters(self._services).within(keyed.store)
            with refused_as(Problem.INVALID_CONFIGURATION), refused_as(Problem.NOT_FOUND, RefusedError):
                done = await acts.drop(name, reason=asked.reason, who=who, dry_run=asked.dry_run)
            return json_answer(given_up_object(name, left=done.left, dry_run=asked.dry_run))

        return await self._repeats.once(request.scope, "POST /dead-letters/{n}/drop", key, body, act)

    async def drop_each(self, request: Request) -> Answer:
        """Give up the letters that failed and that fit; what waits behind each goes on."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, DroppingEach)
        which, who = asked.where.which, principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            acts = self._opened.letters(self._services).within(keyed.store)
            with refused_as(Problem.INVALID_CONFIGURATION):
                done = await acts.drop_each(which, reason=asked.reason, who=who, dry_run=asked.dry_run)
            return json_answer(dropped_object(done, dry_run=asked.dry_run))

        return await self._repeats.once(request.scope, "POST /dead-letters/drop", key, body, act)


def _event(scope: Scope, found: Letter) -> bytes | None:
    """Return the event as JSON, its data only to those who may read events, too; None of what is no event."""
    entry = letters.entry_of(found)
    if entry is None:
        return None
    envelope = shown(entry)
    if "events:read" not in principal_of(scope).scopes:
        envelope = msgspec.structs.replace(envelope, data=None)
    return write_structured(envelope)


def _redriven(done: Redriven, *, dry_run: bool) -> Answer:
    return json_answer(redriven_object(done, dry_run=dry_run), status=200 if dry_run else 202)


def _which(query: Query) -> Which:
    asked: dict[str, Any] = {name: one(query, name) for name in _FILTERS}
    for name, values in (("state", STATES), ("kind", LETTER_KINDS)):
        if asked[name] not in (None, *values):
            raise MalformedError(f"{name}: {str(asked[name])[:40]!r} is none; there is {', '.join(values)}")
    return Which(**asked)


def _name(request: Request) -> str:
    return segment(request.path_params["n"])


def _write_cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(encode_json(place)).decode().rstrip("=")


def _read_cursor(cursor: str) -> Place:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place: Place = _decode_place(base64.b64decode(padded, altchars=b"-_", validate=True))
        letters.check_place(place)
    except (ValueError, msgspec.MsgspecError):
        raise MalformedError(f"after: {cursor[:80]!r} is no cursor: send the `next` of the page before") from None
    return place
