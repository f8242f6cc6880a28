"""The console as an ASGI application, for whoever mounts it beside the API."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from tidings.app.opened import Opened
from tidings.console import consumers, dead, deliveries, event, log, overview, views
from tidings.console.errors import TITLES, ElsewhereError, told
from tidings.console.pages import HEADERS, TYPES, Pages
from tidings.console.session import Sessions
from tidings.console.verifying import Verifications
from tidings.console.visit import Visit
from tidings.errors import CallerError, NotFoundError

PATH = "/console"
_log = logging.getLogger("tidings.console")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Admit = Callable[[Scope], Awaitable[None]]
Page = Callable[[Visit], Awaitable[Response]]


class Console:
    """Serves pages over an open App, under the root path of the scope. `admit`: raises for whom it does not answer."""

    path = PATH

    def __init__(self, opened: Opened, admit: Admit) -> None:
        self._opened = opened
        self._admit = admit
        self._pages = Pages()
        self._sessions = Sessions(opened.ports.random)
        self._router = Router(self._routes(Verifications(opened)), redirect_slashes=False)

    def _routes(self, verifications: Verifications) -> Sequence[Route]:
        shown: dict[str, Page] = {
            "/": overview.show,
            "/log": log.show,
            "/log/tail": log.tail,
            "/event": event.show,
            "/consumers": consumers.every,
            "/consumers/{name}": consumers.one,
            "/views": views.every,
            "/views/{name}": partial(views.rows, verifications),
            "/views/{name}/verify": partial(views.progress, verifications),
            "/dead": dead.every,
            "/dead/subject": dead.subject,
            "/deliveries": deliveries.every,
        }
        done: dict[str, Page] = {
            "/consumers/{name}/pause": consumers.pause,
            "/consumers/{name}/resume": consumers.resume,
            "/consumers/{name}/replay": consumers.replay,
            "/views/{name}/verify": partial(views.verify, verifications),
            "/dead/redrive": dead.redrive,
            "/dead/redrive-all": dead.redrive_all,
            "/dead/drop": dead.drop,
            "/deliveries/retry": deliveries.retry,
        }
        return [
            Route("/static/{name}", self._static),
            *(Route(path, self._endpoint(page), methods=["GET"]) for path, page in shown.items()),
            *(Route(path, self._endpoint(change), methods=["POST"]) for path, change in done.items()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        scope = {**scope, "app": self, "path": f"{path}/" if path == scope["root_path"] else path}
        try:
            await self._check(scope)
            await self._router(scope, receive, send)
        except ClientDisconnect:
            return
        except Exception as error:
            status, message = told(error, scope["path"])
            response = self._visit(Request(scope)).refuse(status, TITLES[status], message)
            await _guarded(response)(scope, receive, send)

    async def _check(self, scope: Scope) -> None:
        try:
            await self._admit(scope)
        except CallerError as error:
            raise ElsewhereError(str(error)) from None

    def _endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            response = _guarded(await page(self._visit(request)))
            if request.method == "POST":
                _log.info("%s changed by %s", request.url.path, request.client and request.client.host)
            return response

        return answer

    def _visit(self, request: Request) -> Visit:
        return Visit(request, self._opened, self._pages, self._sessions)

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in TYPES:
            raise NotFoundError(f"nothing is at {name[:100]}")
        kept = {**HEADERS, "cache-control": "max-age=31536000, immutable"}
        return Response(self._pages.static[name], media_type=TYPES[name], headers=kept)


def _guarded(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
