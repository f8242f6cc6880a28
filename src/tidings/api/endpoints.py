"""Endpoints over HTTP: made, changed by who has seen what there is, and removed; their secrets are shown once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, cast

import msgspec
from starlette.requests import Request

from tidings.api.answer import JSON_TYPE, Answer, Header, Scope, json_answer
from tidings.api.bodies import Bodies
from tidings.api.headers import choose
from tidings.api.members import read_members, read_object, refused_as
from tidings.api.paths import segment, to_path
from tidings.api.preconditions import check_put, check_seen, etag_header, etag_of
from tidings.api.problems import Problem
from tidings.api.queries import limit, one, read_query
from tidings.api.repeats import Repeats, need_key, read_key
from tidings.api.routing import principal_of
from tidings.api.veil import AnswerVeil
from tidings.app.opened import Opened
from tidings.errors import InvalidConfigurationError, NotFoundError, RefusedError
from tidings.events.codec import encode_json
from tidings.events.media import JSON
from tidings.faces.endpoints import endpoint_object, made_object, new_secret_object
from tidings.operations.endpoint_secrets import Made
from tidings.operations.endpoint_shown import Shown
from tidings.operations.endpoints import Endpoints as Operations
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Keyed
from tidings.webhooks.deliver.secrets import GRACE_S, Kind

_ONCE = ("secret", "kind")
"""Members that only who makes an endpoint gives."""


class Rotating(msgspec.Struct, forbid_unknown_fields=True):
    """A secret of the caller's own, else one is drawn, of this kind; for how long the one before signs beside it."""

    secret: str | None = None
    kind: Literal["hmac", "ed25519"] | None = None
    grace_s: int = GRACE_S


class Endpoints:
    """Shows endpoints and configures them."""

    def __init__(self, opened: Opened, bodies: Bodies, repeats: Repeats) -> None:
        self._log = opened.log
        self._operations = opened.endpoints
        self._bodies = bodies
        self._repeats = repeats.veiled(AnswerVeil(self._operations.keyring, opened.ports))

    async def list(self, request: Request) -> Answer:
        """Answer endpoints, by their id."""
        query = read_query(request.scope, known={"after", "limit"})
        choose(request.scope, JSON)
        most = limit(query)
        found = await self._operations.list(after=one(query, "after"), limit=most)
        last = found[-1].id if len(found) == most else None
        return json_answer({"endpoints": [endpoint_object(each) for each in found], "next": last})

    async def get(self, request: Request) -> Answer:
        """Answer one endpoint."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        return _shown(await self._operations.show(_name(request)))

    async def post(self, request: Request) -> Answer:
        """Make an endpoint under an id of ours; under a key once."""
        scope = request.scope
        read_query(scope, known=())
        key = read_key(scope)
        body, members = await read_object(self._bodies, request)

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            return _made(scope, await _add(self.within(keyed), scope, members))

        if key is None:
            return _made(scope, await _add(self._operations, scope, members))
        return await self._repeats.once(scope, "POST /endpoints", key, body, act)

    async def put(self, request: Request) -> Answer:
        """Make an endpoint under this id, or give it this configuration; `If-Match` says which it has now."""
        scope, name = request.scope, _name(request)
        read_query(scope, known=())
        _, members = await read_object(self._bodies, request)
        seen = await self._seen(name)
        check_put(scope, None if seen is None else _etag(seen), what="endpoint", name=name)
        if seen is None:
            return _made(scope, await _add(self._operations, scope, members, id=name))
        return await self._changed(scope, seen, members, whole=True)

    async def patch(self, request: Request) -> Answer:
        """Change the members that are given; null puts the default back."""
        scope = request.scope
        read_query(scope, known=())
        _, members = await read_object(self._bodies, request)
        seen = await self._operations.show(_name(request))
        check_seen(scope, _etag(seen), what="the endpoint")
        return await self._changed(scope, seen, members, whole=False)

    async def delete(self, request: Request) -> Answer:
        """Remove an endpoint; what is open to it is cancelled."""
        scope = request.scope
        read_query(scope, known=())
        seen = await self._operations.show(_name(request))
        check_seen(scope, _etag(seen), what="the endpoint")
        await self._operations.remove(seen.id, version=seen.version, who=principal_of(scope).who)
        return Answer(204)

    async def rotate(self, request: Request) -> Answer:
        """Have a new secret sign, which is answered this once. `too-many-secrets`."""
        scope, name = request.scope, _name(request)
        read_query(scope, known=())
        key = need_key(scope)
        body, asked = await read_members(self._bodies, request, Rotating)
        who = principal_of(scope).who

        async def act(keyed: Keyed[StoreDriver]) -> Answer:
            made = await self.within(keyed).rotate(
                name, secret=asked.secret, kind=asked.kind, grace_s=asked.grace_s, who=who
            )
            return json_answer(new_secret_object(made), status=201)

        return await self._repeats.once(scope, "POST /endpoints/{endpoint}/secrets", key, body, act)

    async def revoke(self, request: Request) -> Answer:
        """End one of the older secrets now."""
        scope = request.scope
        read_query(scope, known=())
        with refused_as(Problem.ENDPOINT_STATE, RefusedError):
            secret = segment(request.path_params["secret"])
            await self._operations.revoke(_name(request), secret, who=principal_of(scope).who)
        return Answer(204)

    def within(self, keyed: Keyed[StoreDriver]) -> Operations:
        """Return the operations as parts of a request's transaction."""
        return within(self._operations, keyed)

    async def _seen(self, name: str) -> Shown | None:
        try:
            return await self._operations.show(name)
        except NotFoundError:
            return None

    async def _changed(self, scope: Scope, seen: Shown, members: dict[str, Any], *, whole: bool) -> Answer:
        changed = await self._operations.change(
            seen.id, members, whole=whole, version=seen.version, who=principal_of(scope).who
        )
        return _shown(changed)


def within(operations: Operations, keyed: Keyed[StoreDriver]) -> Operations:
    """Return operations on endpoints as parts of a request's transaction."""

    async def append(envelopes: Any) -> Any:
        return await operations.log.append_by(keyed.append, envelopes)

    return replace(operations, store=keyed.store, append=append)


async def _add(operations: Operations, scope: Scope, members: dict[str, Any], *, id: str | None = None) -> Made:
    given = {name: value for name, value in members.items() if name not in _ONCE}
    secret, kind = members.get("secret"), cast("Kind", members.get("kind") or "hmac")
    faults = [
        *([] if secret is None or isinstance(secret, str) else [("/secret", "expected text such as whsec_…")]),
        *([] if kind in ("hmac", "ed25519") else [("/kind", "expected hmac or ed25519")]),
    ]
    if faults:
        raise InvalidConfigurationError(f"{faults[0][0]}: {faults[0][1]}", errors=faults)
    with refused_as(Problem.ENDPOINT_STATE, RefusedError):
        who = principal_of(scope).who
        return await operations.add(given, id=id, secret=cast("str | None", secret), kind=kind, who=who)


def _name(request: Request) -> str:
    return segment(request.path_params["endpoint"])


def _etag(found: Shown) -> str:
    return etag_of(found.created, found.version)


def _shown(found: Shown) -> Answer:
    return json_answer(endpoint_object(found), etag_header(_etag(found)))


def _made(scope: Scope, made: Made) -> Answer:
    root: str = scope.get("tidings.root", "")
    location = (root + to_path("endpoints", made.endpoint.id)).encode("ascii")
    headers: tuple[Header, ...] = (JSON_TYPE, (b"location", location), etag_header(_etag(made.endpoint)))
    return Answer(201, headers, encode_json(made_object(made)))
