"""An App under somebody else's server, or mounted in somebody else's application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tidings.api.answer import Application as AsgiApplication
from tidings.api.answer import Receive, Scope, Send
from tidings.api.application import Application, MakePages, application, no_pages
from tidings.api.lifespan import live
from tidings.api.paths import whole_path
from tidings.api.problems import Problem, Refusal, answer_to
from tidings.api.refusals import Refusals
from tidings.app.app import App
from tidings.app.opened import Opened
from tidings.errors import RefusedError
from tidings.ports import Ports
from tidings.settings import Settings


def asgi(
    app: App,
    settings: Settings | None = None,
    *,
    ports: Ports | None = None,
    pages: MakePages = no_pages,
) -> AsgiApplication:
    """Return an ASGI application that opens the App with its lifespan: `uvicorn module:served`.

    Mounted, it gets no lifespan of its own: open the App in that of the application around it, with
    `async with app.open():`. `settings`, `ports`: as of `App.open`. `pages`: makes what is served beside the API.
    """
    return _Hosted(app, settings, ports, pages)


class _Hosted:
    def __init__(self, app: App, settings: Settings | None, ports: Ports | None, pages: MakePages) -> None:
        self._app = app
        self._settings = settings
        self._ports = ports
        self._pages = pages
        self._refusals = Refusals((ports or Ports()).clock)
        self._served: tuple[Opened, Application] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send, self._open())
            return
        try:
            served = await self._application()
        except RefusedError as error:
            await self._not_open(error, scope, receive, send)
        else:
            await served(scope, receive, send)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        async with self._app.open(self._settings, ports=self._ports):
            served = await self._application()
            try:
                yield
            finally:
                served.waiting.stop()

    async def _application(self) -> Application:
        opened = self._app.opened
        if self._served is None or self._served[0] is not opened:
            self._served = opened, await application(opened, self._pages)
        return self._served[1]

    async def _not_open(self, error: RefusedError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what whoever mounts it has to do; a mounted application gets no lifespan of its own."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        detail = f"{error}; a mounted application has to be opened in the lifespan of the one around it"
        refusal, path = Refusal(Problem.STORE_UNAVAILABLE, detail), whole_path(scope)
        self._refusals.tell(refusal, instance=path)
        await answer_to(refusal, instance=path)(scope, receive, send)
