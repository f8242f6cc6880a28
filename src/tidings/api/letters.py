"""Dead letters over HTTP: listed, shown, given back to their handler in order, or given up for a reason."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any, Literal

import msgspec
from starlette.requests import Request

from tidings.api.answer import Answer, Scope, json_answer
from tidings.api.bodies import Bodies
from tidings.api.headers import choose
from tidings.api.members import read_members, refused_as
from tidings.api.paths import segment
from tidings.api.problems import Problem
from tidings.api.queries import limit, one, read_query
from tidings.api.repeats import Repeats, need_key
from tidings.api.routing import principal_of
from tidings.app.opened import Opened
from tidings.errors import MalformedError
from tidings.events.cloudevents import shown, write_structured
from tidings.events.codec import encode_json
from tidings.events.media import JSON
from tidings.faces.letters import dropped_object, given_up_object, letter_object, redriven_object, whole_letter_object
from tidings.faces.tokens import Tokens
from tidings.operations import dead, letters
from tidings.operations.letters import Letter, Place
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Keyed

STATES = ("retrying", "dead")
FOLLOWERS = 100
_KNOWN = frozenset({"consumer", "state", "reason", "after", "limit"})
_decode_place = msgspec.json.Decoder(Place).decode


class Redriving(msgspec.Struct, forbid_unknown_fields=True):
    """Which ones: all that fit what is given. With `dry_run` they are counted and left as they are."""

    consumer: str | None = None
    state: Literal["retrying", "dead"] | None = None
    reason: str | None = None
    dry_run: bool = False


class RedrivingOne(msgspec.Struct, forbid_unknown_fields=True):
    dry_run: bool = False


class Dropping(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is given up; the audit keeps it."""

    reason: str
    dry_run: bool = False


class Where(msgspec.Struct, forbid_unknown_fields=True):
    """Which ones: all that fit what is given."""

    consumer: str | None = None
    state: Literal["retrying", "dead"] | None = None
    reason: str | None = None


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
        self._clock = opened.ports.clock
        self._tokens = tokens
        self._bodies = bodies
        self._repeats = repeats

    async def list(self, request: Request) -> Answer:
        """Answer the letters that failed, the oldest first; those that wait behind one are counted with it."""
        query = read_query(request.scope, known=_KNOWN)
        choose(request.scope, JSON)
        most, cursor = limit(query), one(query, "after")
        which = dead.Which(consumer=one(query, "consumer"), state=_state(query), reason=one(query, "reason"))
        after = None if cursor is None else _read_cursor(cursor)
        found = await letters.heads(self._store, self._services, which, after=after, limit=most)
        last = _write_cursor(letters.place_of(found[-1].parked)) if len(found) == most else None
        return json_answer({"dead_letters": [letter_object(self._tokens, each) for each in found], "next": last})

    async def get(self, request: Request) -> Answer:
        """Answer one letter with its event, and which others wait with it."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        found = await letters.find(self._log, self._store, _name(request))
        waiting = await self._store.dead_letters(found.parked.consumer, found.parked.subject, limit=FOLLOWERS + 1)
        event = _event(request.scope, found)
        return json_answer(whole_letter_object(self._tokens, found, event, waiting))

    async def redrive_all(self, request: Request) -> Answer:
        """Give all that fit back to their handlers."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, Redriving)
        which = dead.Which(consumer=asked.consumer, state=asked.state, reason=asked.reason)

        who = principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            with refused_as(Problem.CANNOT_REPLAY):
                if asked.dry_run:
                    found = await dead.all_redrivable(keyed.store, self._clock, self._services, which)
                else:
                    found = await dead.redrive_all(keyed.store, self._clock, self._services, which, who=who)
            return _redriven(len(found), sum(each.entries for each in found), dry_run=asked.dry_run)

        return await self._repeats.once(request.scope, "POST /dead-letters/redrive", key, body, act)

    async def redrive(self, request: Request) -> Answer:
        """Give one letter, and then what waits behind it, back to its handler. `not-subject-head`."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, RedrivingOne)
        name, who = _name(request), principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            parked = (await letters.find_head(self._log, keyed.store, name)).parked
            give = dead.redrivable if asked.dry_run else partial(dead.redrive, who=who)
            with refused_as(Problem.CANNOT_REPLAY):
                await give(keyed.store, self._clock, self._services, parked.consumer, parked.subject)
            return _redriven(1, parked.entries, dry_run=asked.dry_run)

        return await self._repeats.once(request.scope, "POST /dead-letters/{n}/redrive", key, body, act)

    async def drop(self, request: Request) -> Answer:
        """Give one letter up; what waits behind it goes on. `not-subject-head`."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, Dropping)
        name, who = _name(request), principal_of(request.scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            parked = (await letters.find_head(self._log, keyed.store, name)).parked
            whose, left = (parked.consumer, parked.subject), parked.entries
            with refused_as(Problem.INVALID_CONFIGURATION):
                if asked.dry_run:
                    await dead.droppable(keyed.store, *whose, reason=asked.reason)
                else:
                    at = parked.first_position
                    left = (await dead.drop(keyed.store, *whose, position=at, reason=asked.reason, who=who)).left
            return json_answer(given_up_object(name, left=left, dry_run=asked.dry_run))

        return await self._repeats.once(request.scope, "POST /dead-letters/{n}/drop", key, body, act)

    async def drop_each(self, request: Request) -> Answer:
        """Give up the letters that failed and that fit; what waits behind each goes on."""
        read_query(request.scope, known=())
        key = need_key(request.scope)
        body, asked = await read_members(self._bodies, request, DroppingEach)
        where, who = asked.where, principal_of(request.scope).who
        which = dead.Which(consumer=where.consumer, state=where.state, reason=where.reason)

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            with refused_as(Problem.INVALID_CONFIGURATION):
                if asked.dry_run:
                    found = await dead.all_droppable(keyed.store, self._services, which, reason=asked.reason)
                    return json_answer(
                        dropped_object(subjects=len(found), left=sum(each.entries for each in found), dry_run=True)
                    )
                done = await dead.drop_each(keyed.store, self._services, which, reason=asked.reason, who=who)
            subjects, left = len(done), sum(each.left for each in done)
            return json_answer(dropped_object(subjects=subjects, left=left, dry_run=False))

        return await self._repeats.once(request.scope, "POST /dead-letters/drop", key, body, act)


def _event(scope: Scope, found: Letter) -> bytes:
    """Return the event as JSON, its data only to those who may read events, too."""
    envelope = shown(found.letter.entry)
    if "events:read" not in principal_of(scope).scopes:
        envelope = msgspec.structs.replace(envelope, data=None)
    return write_structured(envelope)


def _redriven(subjects: int, entries: int, *, dry_run: bool) -> Answer:
    body = redriven_object(subjects=subjects, entries=entries, dry_run=dry_run)
    return json_answer(body, status=200 if dry_run else 202)


def _state(query: Any) -> Literal["retrying", "dead"] | None:
    text = one(query, "state")
    if text in (None, "retrying", "dead"):
        return text  # type: ignore[return-value]  # it is one of these
    raise MalformedError(f"state: {str(text)[:40]!r} is none; there is {' and '.join(STATES)}")


def _name(request: Request) -> str:
    return segment(request.path_params["n"])


def _write_cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(encode_json(place)).decode().rstrip("=")


def _read_cursor(cursor: str) -> Place:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place: Place = _decode_place(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, msgspec.MsgspecError):
        raise MalformedError(f"after: {cursor[:80]!r} is no cursor: send the `next` of the page before") from None
    return place
