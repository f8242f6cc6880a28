"""Receivers over HTTP: which there are, what came to them, replaying it; made, changed and retired as endpoints are."""

from __future__ import annotations

import hashlib

import msgspec
from starlette.requests import Request

from tidings.api.answer import JSON_TYPE, Answer, Header, json_answer
from tidings.api.bodies import Bodies
from tidings.api.filters import time_of
from tidings.api.headers import choose
from tidings.api.members import read_members, read_object, refused_as
from tidings.api.paths import segment, to_path
from tidings.api.preconditions import check_put, check_seen, etag_header, etag_of
from tidings.api.problems import Problem, Refusal
from tidings.api.queries import limit, one, read_query
from tidings.api.repeats import Repeats, fingerprint, need_key
from tidings.api.routing import principal_of
from tidings.app.opened import Opened
from tidings.app.receiving import receivers_of
from tidings.errors import MalformedError, NotFoundError, RefusedError
from tidings.events.codec import encode_json
from tidings.events.media import JSON
from tidings.faces.receivers import OUTCOMES, receipt_object, receiver_object, replayed_object, whole_receipt_object
from tidings.operations.receiver_shown import Shown
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Keyed

_KNOWN = frozenset({"outcome", "from", "to", "after", "limit"})
_DIGITS_MAX = 18


class Replaying(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is to be said."""


class Receivers:
    """Shows receivers and their receipts, and configures those that the code does not declare."""

    def __init__(self, opened: Opened, bodies: Bodies, repeats: Repeats) -> None:
        self._operations = receivers_of(opened)
        self._store = opened.store
        self._bodies = bodies
        self._repeats = repeats

    async def list(self, request: Request) -> Answer:
        """Answer receivers, by their id."""
        query = read_query(request.scope, known={"after", "limit"})
        choose(request.scope, JSON)
        most = limit(query)
        found = await self._operations.list(after=one(query, "after"), limit=most)
        last = found[-1].id if len(found) == most else None
        return json_answer({"receivers": [receiver_object(each) for each in found], "next": last})

    async def get(self, request: Request) -> Answer:
        """Answer one receiver."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        return _shown(await self._operations.show(_name(request)))

    async def put(self, request: Request) -> Answer:
        """Make a receiver under this id, or give it this configuration; `If-Match` says which it has now."""
        scope, name = request.scope, _name(request)
        read_query(scope, known=())
        _, members = await read_object(self._bodies, request)
        seen = await self._seen(name)
        if seen is None or seen.declared is None:
            check_put(scope, None if seen is None else _etag(seen), what="receiver", name=name)
        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            version, who = None if seen is None else seen.version, principal_of(scope).who
            after = await self._operations.put(name, members, version=version, who=who)
        if seen is not None:
            return _shown(after)
        location = (scope.get("tidings.root", "") + to_path("receivers", name)).encode("ascii")
        headers: tuple[Header, ...] = (JSON_TYPE, (b"location", location), etag_header(_etag(after)))
        return Answer(201, headers, encode_json(receiver_object(after)))

    async def delete(self, request: Request) -> Answer:
        """Retire a receiver: its door takes nothing any more, what came stays."""
        scope = request.scope
        read_query(scope, known=())
        seen = await self._operations.show(_name(request))
        if seen.declared is None:
            check_seen(scope, _etag(seen), what="the receiver")
        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            await self._operations.retire(seen.id, version=seen.version, who=principal_of(scope).who)
        return Answer(204)

    async def receipts(self, request: Request) -> Answer:
        """Answer what came to one, newest first."""
        query = read_query(request.scope, known=_KNOWN)
        choose(request.scope, JSON)
        outcome, after, most = one(query, "outcome"), one(query, "after"), limit(query)
        if outcome not in (None, *OUTCOMES):
            raise MalformedError(f"outcome: {str(outcome)[:40]!r} is none; there is {', '.join(OUTCOMES)}")
        if after is not None and _number(after) is None:
            raise MalformedError(f"after: {after[:80]!r} is no receipt: send the `next` of the page before")
        name = (await self._operations.show(_name(request))).id
        found = await self._store.receipts(
            name,
            outcome=outcome,  # type: ignore[arg-type]  # it is one of these
            since=time_of(query, "from"),
            until=time_of(query, "to"),
            before=None if after is None else _number(after),
            limit=most,
        )
        last = str(found[-1].n) if len(found) == most else None
        return json_answer({"receipts": [receipt_object(each) for each in found], "next": last})

    async def receipt(self, request: Request) -> Answer:
        """Answer one receipt with its headers, credentials masked."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        found = await self._operations.receipt(_name(request), await self._n(request))
        return json_answer(whole_receipt_object(found, await self._store.stored_receipt(found.n)))

    async def body(self, request: Request) -> Answer:
        """Answer the bytes as they came, as something to save: what a provider sent is no page of ours."""
        read_query(request.scope, known=())
        choose(request.scope, "application/octet-stream")
        found = await self._operations.receipt(_name(request), await self._n(request))
        stored = await self._store.stored_receipt(found.n)
        if stored is None:
            raise Refusal(Problem.RECEIPT_PRUNED, f"the body of the receipt {found.n} is not kept any more")
        headers: tuple[Header, ...] = (
            (b"content-type", b"application/octet-stream"),
            (b"content-disposition", b"attachment"),
            (b"x-content-type-options", b"nosniff"),
        )
        return Answer(200, headers, stored.body)

    async def replay(self, request: Request) -> Answer:
        """Make the stored bytes into events again, under the code as it is now."""
        scope, name, n = request.scope, _name(request), await self._n(request)
        read_query(scope, known=())
        key = need_key(scope)
        body, _ = await read_members(self._bodies, request, Replaying)
        who = principal_of(scope)
        nonce = hashlib.sha256(f"{who.owner}\0{key}".encode() + fingerprint(scope, body)).hexdigest()[:16]

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            with refused_as(Problem.CANNOT_REPLAY, RefusedError):
                done = await self._operations.within(keyed.store).replay(name, n, nonce=nonce, who=who.who)
            return json_answer(replayed_object(name, done), status=202)

        route = "POST /receivers/{receiver}/receipts/{n}/replay"
        return await self._repeats.once(scope, route, key, body, act)

    async def _n(self, request: Request) -> int:
        text = segment(request.path_params["n"])
        n = _number(text)
        if n is None:
            raise await self._operations.no_receipt(_name(request), text)
        return n

    async def _seen(self, name: str) -> Shown | None:
        try:
            return await self._operations.show(name)
        except NotFoundError:
            return None


def _name(request: Request) -> str:
    return segment(request.path_params["receiver"])


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else None


def _etag(found: Shown) -> str:
    if found.created is None or found.version is None:  # it changes with the code alone
        return f'"{hashlib.sha256(encode_json(receiver_object(found) | {"counts": None})).hexdigest()[:16]}"'
    return etag_of(found.created, found.version)


def _shown(found: Shown) -> Answer:
    return json_answer(receiver_object(found), etag_header(_etag(found)))
