"""The one ASGI application: events in by the short way, everything else by Starlette, all errors as problems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Router

from tidings import __version__
from tidings.api.answer import JSON_TYPE, Answer, Pages, Receive, Scope, Send
from tidings.api.bodies import DisconnectedError
from tidings.api.descriptions import tagged
from tidings.api.guard import admit
from tidings.api.headers import choose, wait_seconds
from tidings.api.hooks import HOOKS
from tidings.api.host import check_host
from tidings.api.lifespan import live
from tidings.api.openapi.document import describe
from tidings.api.paths import mounted, raw_path, root_path, whole_path
from tidings.api.problems import Problem, Refusal, answer_to
from tidings.api.queries import read_query
from tidings.api.routing import OPEN, PRINCIPAL, Operation, check_scope, routes
from tidings.api.table import Parts, operations
from tidings.api.welcome import welcome
from tidings.app.opened import Opened
from tidings.errors import MalformedError, NotFoundError
from tidings.events.codec import encode_json
from tidings.events.media import JSON
from tidings.faces.kept import check_kept

UNDER_WAY_MAX = 1_024
WAITING_MAX = 3_072  # with those under way, as many as there are connections


class Application:
    """Serves an open App over ASGI, under any root path. `incarnation`: of its log, which marks position tokens.

    `pages`: what is served beside the API. `waiting`: stop it when the server stops, so that no request waits any more.
    """

    def __init__(self, opened: Opened, incarnation: str, pages: Pages | None = None) -> None:
        self._pages = pages
        self._parts = parts = Parts(opened, incarnation)
        self.waiting = parts.waiting
        self.refusals = parts.refusals
        self._under_way = 0
        self._admission = opened.admission
        own = Operation("GET", "/openapi.json", self._describe, None)
        self.operations = (*operations(opened, parts), own)
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
        try:
            if _may_wait(scope):
                with self.waiting.counted():
                    await self._serve(scope, receive, send)
            else:
                self._under_way += 1
                try:
                    await self._serve(scope, receive, send)
                finally:
                    self._under_way -= 1
        except DisconnectedError:
            pass
        except asyncio.CancelledError:
            if self.waiting.stopping.is_set():
                await answer_to(_cut_short(), instance=whole_path(scope))(scope, receive, send)
            raise
        except Exception as error:
            self.refusals.tell(error, instance=whole_path(scope))
            await answer_to(error, instance=whole_path(scope))(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = raw_path(scope)
        check_host(scope)
        if path not in OPEN:
            self._parts.rates.check_address(scope)
        if self._pages is not None and (path == "/" or path.startswith(self._pages.path)):
            inner = mounted(scope, self._pages.path)
            if inner is not None:
                return await self._pages(inner, self._parts.bodies.watched(receive), send)
            if path == "/":
                return await welcome(scope, self._pages.path)(scope, receive, send)
        if path.startswith(HOOKS):
            self._check_room(scope)
            return await self._parts.hooks.serve(path[len(HOOKS) :], scope, receive, send)
        if path not in OPEN:
            scope[PRINCIPAL] = principal = await admit(self._admission, scope)
            self._parts.rates.check_key(principal)
            self._check_room(scope)
        if "#" in path or b"#" in scope["query_string"]:
            raise MalformedError("a # stands in the request's target: write it as %23")
        if scope["method"] == "PUT" and path.startswith("/events/") and path.count("/") == 3:
            check_scope(scope, "events:write")
            _, _, source, id = path.split("/")
            answer = await self._parts.ingest.put(scope, receive, source, id)
        elif scope["method"] == "POST" and path == "/events":
            check_scope(scope, "events:write")
            answer = await self._parts.ingest.post(scope, receive)
        else:
            return await self._route(path, scope, receive, send)
        return await answer(scope, receive, send)

    def _check_room(self, scope: Scope) -> None:
        if scope["method"] != "GET" and self._under_way <= UNDER_WAY_MAX:
            return
        if _may_wait(scope):
            if len(self.waiting) > WAITING_MAX:
                why = f"{WAITING_MAX:,} requests wait for what comes: ask later, or without `Prefer: wait`"
                raise Refusal(Problem.OVERLOADED, why)
        elif self._under_way - len(self._parts.bodies) > UNDER_WAY_MAX:
            raise Refusal(Problem.OVERLOADED, f"{UNDER_WAY_MAX:,} requests are under way: repeat this one later")

    async def _route(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Starlette find the route by the path as it was sent, in which `%2F` is no slash.

        Nothing that it could lead to has a name with U+0000, so that no handler has to look for that.
        """
        check_kept(path, scope["query_string"])
        inner = {**scope, "path": path, "root_path": "", "app": self, "tidings.root": root_path(scope)}
        try:
            await self._router(inner, receive, send)
        except HTTPException as error:
            if error.status_code != 405:
                raise NotFoundError("path", path, hint=self._whereabouts(path, scope)) from None
            allowed = ", ".join(sorted((error.headers or {})["Allow"].split(", ")))
            message = f"{scope['method'][:20]} is not allowed at {path[:200]!r}; allowed are {allowed}"
            raise Refusal(Problem.METHOD_NOT_ALLOWED, message, (b"allow", allowed.encode())) from None

    def _whereabouts(self, path: str, scope: Scope) -> str:
        root = root_path(scope)
        if path.startswith("/views/"):
            return f"a view's rows are at {root}/views/SERVICE/VIEW, and {root}/views lists which there are"
        pages = "" if self._pages is None else f", and {root}{self._pages.path} shows it in a browser"
        return f"{root}/openapi.json lists what is{pages}"

    async def _describe(self, request: Request) -> Answer:
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        root = request.scope["tidings.root"]
        return tagged(request.scope, encode_json({**self._document, "servers": [{"url": root or "/"}]}), JSON_TYPE)

    @asynccontextmanager
    async def _until_shutdown(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self.waiting.stop()


def _may_wait(scope: Scope) -> bool:
    """Say whether a request is one that does little but wait."""
    if scope["method"] != "GET":
        return False
    return raw_path(scope) == "/events/stream" or bool(wait_seconds(scope))


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
