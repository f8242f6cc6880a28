"""The one ASGI application: events in by the short way, everything else by Starlette, all errors as problems."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Router

from tidings import __version__
from tidings.api.answer import JSON_TYPE, Answer, Pages, Receive, Scope, Send
from tidings.api.arrivals import Arrivals
from tidings.api.bodies import Bodies, DisconnectedError
from tidings.api.consumers import Consumers
from tidings.api.deliveries import Deliveries
from tidings.api.entries import Entries
from tidings.api.guard import admit
from tidings.api.headers import choose, is_current
from tidings.api.health import Health
from tidings.api.ingest import Ingest
from tidings.api.letters import Letters
from tidings.api.lifespan import live
from tidings.api.metrics import Metrics
from tidings.api.openapi.document import describe
from tidings.api.paths import mounted, raw_path, root_path, whole_path
from tidings.api.problems import Problem, Refusal, answer_to
from tidings.api.queries import read_query
from tidings.api.reading import Reading
from tidings.api.repeats import Repeats
from tidings.api.routing import OPEN, PRINCIPAL, Operation, check_scope, routes
from tidings.api.stream import Stream
from tidings.api.tokens import Tokens
from tidings.api.views import Views
from tidings.api.waiting import Waiting
from tidings.app.opened import Opened
from tidings.errors import MalformedError, NotFoundError
from tidings.events.codec import encode_json
from tidings.events.media import JSON

UNDER_WAY_MAX = 1_024


class Application:
    """Serves an open App over ASGI, under any root path. `incarnation`: of its log, which marks position tokens.

    `pages`: what is served beside the API. `waiting`: stop it when the server stops, so that no request waits any more.
    """

    def __init__(self, opened: Opened, incarnation: str, pages: Pages | None = None) -> None:
        self._pages = pages
        tokens, self.waiting = Tokens(incarnation), Waiting(opened.ports.clock)
        reading = Reading(opened.log, tokens)
        self._bodies = Bodies(opened.ports.clock)
        repeats = Repeats(opened.store, opened.ports.clock)
        self._ingest = Ingest(opened, tokens, self._bodies, repeats)
        arrivals = Arrivals(opened.log, opened.ports.clock)
        self._entries = Entries(opened, tokens, reading, self.waiting, arrivals)
        self._under_way = 0
        self._admission = opened.admission
        views, health = Views(opened, reading, self.waiting), Health(opened)
        stream = Stream(opened, tokens, self.waiting, arrivals)
        consumers = Consumers(opened, tokens, self._bodies, repeats)
        letters = Letters(opened, tokens, self._bodies, repeats)
        deliveries = Deliveries(opened, self._bodies)
        self.operations = (
            Operation("GET", "/events", self._entries.list, "events:read"),
            Operation("POST", "/events", self._post, "events:write", "accepted"),
            Operation("GET", "/events/stream", stream.open, "events:read"),
            Operation("GET", "/events/{source}/{id}", self._entries.get, "events:read"),
            Operation("PUT", "/events/{source}/{id}", self._put, "events:write"),
            Operation("GET", "/events/{source}/{id}/status", self._entries.status, "events:read"),
            Operation("GET", "/views", views.list, "views:read"),
            Operation("GET", "/views/{service}/{view}", views.rows, "views:read"),
            Operation("GET", "/views/{service}/{view}/{key:path}", views.row, "views:read"),
            Operation("GET", "/consumers", consumers.list, "consumers:read"),
            Operation("GET", "/consumers/{consumer}", consumers.get, "consumers:read"),
            Operation("POST", "/consumers/{consumer}/pause", consumers.pause, "consumers:write"),
            Operation("POST", "/consumers/{consumer}/resume", consumers.resume, "consumers:write"),
            Operation("POST", "/consumers/{consumer}/replay", consumers.replay, "consumers:write", "required"),
            Operation("GET", "/dead-letters", letters.list, "dead-letters:read"),
            Operation("POST", "/dead-letters/redrive", letters.redrive_all, "dead-letters:write", "required"),
            Operation("GET", "/dead-letters/{n}", letters.get, "dead-letters:read"),
            Operation("POST", "/dead-letters/{n}/redrive", letters.redrive, "dead-letters:write", "required"),
            Operation("POST", "/dead-letters/{n}/drop", letters.drop, "dead-letters:write", "required"),
            Operation("GET", "/deliveries", deliveries.list, "deliveries:read"),
            Operation("GET", "/deliveries/{key}", deliveries.get, "deliveries:read"),
            Operation("POST", "/deliveries/{key}/attempt", deliveries.attempt, "deliveries:write"),
            Operation("GET", "/healthz", health.alive, None),
            Operation("GET", "/readyz", health.ready, None),
            Operation("GET", "/metrics", Metrics(opened).get, "metrics:read"),
            Operation("GET", "/openapi.json", self._describe, None),
        )
        self.routes = routes(self.operations)
        self._router = Router(self.routes, redirect_slashes=False)
        self._document = describe(opened.catalog, opened.views, self.operations, version=__version__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send, self._until_shutdown())
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        self._under_way += 1
        try:
            await self._serve(scope, receive, send)
        except DisconnectedError:
            pass
        except asyncio.CancelledError:
            if self.waiting.stopping.is_set():
                await answer_to(_cut_short(), instance=whole_path(scope))(scope, receive, send)
            raise
        except Exception as error:
            await answer_to(error, instance=whole_path(scope))(scope, receive, send)
        finally:
            self._under_way -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = raw_path(scope)
        inner = None if self._pages is None else mounted(scope, self._pages.path)
        if self._pages is not None and inner is not None:
            return await self._pages(inner, receive, send)
        if path not in OPEN:
            scope[PRINCIPAL] = await admit(self._admission, scope)
            if self._under_way - len(self._bodies) - len(self.waiting) > UNDER_WAY_MAX:
                raise Refusal(Problem.OVERLOADED, f"{UNDER_WAY_MAX:,} requests are under way: repeat this one later")
        if "#" in path or b"#" in scope["query_string"]:
            raise MalformedError("a # stands in the request's target: write it as %23")
        if scope["method"] == "PUT" and path.startswith("/events/") and path.count("/") == 3:
            check_scope(scope, "events:write")
            _, _, source, id = path.split("/")
            answer = await self._ingest.put(scope, receive, source, id)
        elif scope["method"] == "POST" and path == "/events":
            check_scope(scope, "events:write")
            answer = await self._ingest.post(scope, receive)
        else:
            return await self._route(path, scope, receive, send)
        return await answer(scope, receive, send)

    async def _route(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Starlette find the route by the path as it was sent, in which `%2F` is no slash."""
        inner = {**scope, "path": path, "root_path": "", "app": self, "tidings.root": root_path(scope)}
        try:
            await self._router(inner, receive, send)
        except HTTPException as error:
            if error.status_code != 405:
                raise NotFoundError(f"nothing is at {path[:200]!r}; /openapi.json lists what is") from None
            allowed = ", ".join(sorted((error.headers or {})["Allow"].split(", ")))
            message = f"{scope['method'][:20]} is not allowed at {path[:200]!r}; allowed are {allowed}"
            raise Refusal(Problem.METHOD_NOT_ALLOWED, message, (b"allow", allowed.encode())) from None

    async def _post(self, request: Request) -> Answer:
        return await self._ingest.post(request.scope, request.receive)

    async def _put(self, request: Request) -> Answer:
        source, id = request.path_params["source"], request.path_params["id"]
        return await self._ingest.put(request.scope, request.receive, source, id)

    async def _describe(self, request: Request) -> Answer:
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        root = request.scope["tidings.root"]
        body = encode_json({**self._document, "servers": [{"url": root or "/"}]})
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = ((b"etag", tag.encode()),)
        return Answer(304, headers) if is_current(request.scope, tag) else Answer(200, (JSON_TYPE, *headers), body)

    @asynccontextmanager
    async def _until_shutdown(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self.waiting.stop()


def _cut_short() -> Refusal:
    return Refusal(
        Problem.LOG_UNAVAILABLE,
        "the server ended before this was done, and nobody knows whether it was kept: repeat it with the same ids",
        (b"connection", b"close"),
    )


MakePages = Callable[[Opened], Pages | None]


def no_pages(opened: Opened) -> None:
    """Serve the API alone."""


async def application(opened: Opened, pages: MakePages = no_pages) -> Application:
    """Return the ASGI application over an open App, with the pages that are made for it, if any."""
    return Application(opened, (await opened.log.head()).incarnation, pages(opened))
