"""The console as an ASGI application, for whoever mounts it beside the API."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from tidings.app.opened import Opened
from tidings.console import (
    catalog,
    consumers,
    dead,
    deliveries,
    endpoints,
    event,
    log,
    login,
    overview,
    receivers,
    reconciliation,
    versions,
    views,
)
from tidings.console.errors import ElsewhereError, StrangerError, told
from tidings.console.pages import HEADERS, TYPES, Pages
from tidings.console.session import Sessions
from tidings.console.verifying import Verifications
from tidings.console.visit import Visit
from tidings.errors import CallerError, NotFoundError, TidingsError
from tidings.faces.kept import check_kept
from tidings.operations.admission import LOCAL, Principal
from tidings.telemetry.failures import Failures

PATH = "/console"
_log = logging.getLogger("tidings.console")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AdmitLocal = Callable[[Scope], None]
Page = Callable[[Visit], Awaitable[Response]]

_READ_EVENTS = ("events:read",)
_READ_CONSUMERS, _CHANGE_CONSUMERS = ("consumers:read",), ("consumers:write",)
_READ_VIEWS = ("views:read",)
_READ_VERSIONS = ("versions:read",)
_READ_DEAD, _CHANGE_DEAD = ("dead-letters:read",), ("dead-letters:write",)
_READ_ENDPOINTS, _CHANGE_ENDPOINTS = ("endpoints:read",), ("endpoints:write",)
_READ_RECEIVERS, _CHANGE_RECEIVERS = ("receivers:read",), ("receivers:write",)
_READ_RUNS, _CHANGE_RUNS = ("reconciliations:read",), ("reconciliations:write",)
_READ_DELIVERIES, _CHANGE_DELIVERIES = ("deliveries:read",), ("deliveries:write",)


class Console:
    """Serves pages over an open App, under the root path of the scope.

    Where there are API keys, a browser shows one, whose scopes say what it may see and change. Where there are none,
    `admit_local` raises for whatever may come from another machine.
    """

    path = PATH

    def __init__(self, opened: Opened, admit_local: AdmitLocal) -> None:
        self._opened = opened
        self._admit_local = admit_local
        self._pages = Pages()
        self._sessions = Sessions(opened.ports)
        self._failures = Failures(_log, opened.ports.clock)
        self._router = Router(self._routes(Verifications(opened)), redirect_slashes=False)

    def _routes(self, verifications: Verifications) -> Sequence[Route]:
        """Return the table of what is served, with the scopes that each asks for."""
        at = self._route
        return [
            Route("/static/{name}", self._static),
            at(login.PATH, get=login.show, post=login.take),
            at("/logout", post=login.leave),
            at("/", get=overview.show),
            at("/log", *_READ_EVENTS, get=log.show),
            at("/log/tail", *_READ_EVENTS, get=log.tail),
            at("/event", *_READ_EVENTS, get=event.show),
            at("/consumers", *_READ_CONSUMERS, get=consumers.every),
            at("/consumers/{name}", *_READ_CONSUMERS, get=consumers.one),
            at("/consumers/{name}/pause", *_CHANGE_CONSUMERS, post=consumers.pause),
            at("/consumers/{name}/resume", *_CHANGE_CONSUMERS, post=consumers.resume),
            at("/consumers/{name}/replay", *_CHANGE_CONSUMERS, post=consumers.replay),
            at("/versions", *_READ_VERSIONS, get=versions.every),
            at("/versions/{type}", *_READ_VERSIONS, get=versions.one),
            at("/catalog", get=catalog.every),
            at("/catalog/{type}", get=catalog.one),
            at("/views", *_READ_VIEWS, get=views.every),
            at("/views/{name}", *_READ_VIEWS, get=partial(views.rows, verifications)),
            at(
                "/views/{name}/verify",
                *_READ_VIEWS,
                get=partial(views.progress, verifications),
                post=partial(views.verify, verifications),
            ),
            at("/dead", *_READ_DEAD, get=dead.every),
            at("/dead/subject", *_READ_DEAD, get=dead.subject),
            at("/dead/letter", *_READ_DEAD, get=dead.letter),
            at("/dead/redrive", *_CHANGE_DEAD, post=dead.redrive),
            at("/dead/redrive-all", *_CHANGE_DEAD, post=dead.redrive_all),
            at("/dead/drop", *_CHANGE_DEAD, post=dead.drop),
            at("/endpoints", *_READ_ENDPOINTS, get=endpoints.every),
            at("/endpoints/{endpoint}", *_READ_ENDPOINTS, get=endpoints.one),
            *(at(f"/endpoints/{{endpoint}}/{act.__name__}", *_CHANGE_ENDPOINTS, post=act) for act in endpoints.ACTS),
            at("/deliveries", *_READ_DELIVERIES, get=deliveries.every),
            at("/deliveries/retry", *_CHANGE_DELIVERIES, post=deliveries.retry),
            at("/deliveries/cancel", *_CHANGE_DELIVERIES, post=deliveries.cancel),
            at("/deliveries/{key}", *_READ_DELIVERIES, get=deliveries.one),
            at("/receivers", *_READ_RECEIVERS, get=receivers.every),
            at("/receivers/{receiver}", *_READ_RECEIVERS, get=receivers.one),
            at("/receivers/{receiver}/retire", *_CHANGE_RECEIVERS, post=receivers.retire),
            at("/receivers/{receiver}/reopen", *_CHANGE_RECEIVERS, post=receivers.reopen),
            at("/receivers/{receiver}/receipts/{n}", *_READ_RECEIVERS, get=receivers.receipt),
            at("/receivers/{receiver}/receipts/{n}/replay", *_CHANGE_RECEIVERS, post=receivers.replay),
            *self._reconciling(),
        ]

    def _reconciling(self) -> Sequence[Route]:
        at, one = self._route, f"{reconciliation.PATH}/{{scope}}"
        return [
            at(reconciliation.PATH, *_READ_RUNS, get=reconciliation.every),
            at(one, *_READ_RUNS, get=reconciliation.one),
            at(f"{one}/begin", *_CHANGE_RUNS, post=reconciliation.begin),
            at(f"{one}/{{run}}", *_READ_RUNS, get=reconciliation.run),
            at(f"{one}/{{run}}/approve", "reconciliations:approve", post=reconciliation.approve),
            at(f"{one}/{{run}}/cancel", *_CHANGE_RUNS, post=reconciliation.cancel),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        scope = {**scope, "app": self, "path": f"{path}/" if path == scope["root_path"] else path}
        try:
            check_kept(quote(scope["path"]), scope["query_string"])
            await self._router(scope, receive, send)
        except ClientDisconnect:
            return
        except StrangerError:
            await _guarded(self._visit(Request(scope)).log_in(is_wrong=False))(scope, receive, send)
        except Exception as error:
            await _guarded(await self._refusal(error, Request(scope)))(scope, receive, send)

    async def _refusal(self, error: Exception, request: Request) -> Response:
        visit = self._visit(request)
        with suppress(TidingsError):  # then the page is shown as to a stranger, without a way to other pages
            visit.principal = await self._principal(visit)
        status, title, sentence = told(error, request.method, request.scope["path"])
        if status == 500:
            self._failures.tell(error, f"a request to {request.scope['path']!r} failed")
        response = visit.refuse(status, title, sentence)
        if status == 408:
            response.headers["connection"] = "close"
        return response

    def _route(self, path: str, *scopes: str, get: Page | None = None, post: Page | None = None) -> Route:
        """Return all that is served at a path, under these scopes."""
        pages = {method: page for method, page in (("GET", get), ("HEAD", get), ("POST", post)) if page is not None}

        async def answer(request: Request) -> Response:
            visit, page = self._visit(request), pages[request.method]
            visit.principal = await self._principal(visit)
            if visit.principal is None and page not in (login.show, login.take):
                raise StrangerError("show a key first")
            visit.check(*scopes)
            response = _guarded(await page(visit))
            if page is post and visit.principal is not None:
                _log.info("%s by %s", request.url.path, visit.principal.said)
            return response

        return Route(path, answer, methods=list(pages))

    async def _principal(self, visit: Visit) -> Principal | None:
        if not await self._opened.admission.is_keyless():
            return await login.principal_of(visit)
        try:
            self._admit_local(visit.request.scope)
        except CallerError as error:
            raise ElsewhereError(str(error)) from None
        return LOCAL

    def _visit(self, request: Request) -> Visit:
        return Visit(request, self._opened, self._pages, self._sessions)

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in TYPES:
            raise NotFoundError("file", name, there=TYPES)
        kept = {**HEADERS, "cache-control": "max-age=31536000, immutable"}
        return Response(self._pages.static[name], media_type=TYPES[name], headers=kept)


def _guarded(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
