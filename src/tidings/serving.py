"""An App as others meet it: its HTTP API, and the operator's console beside it."""

from __future__ import annotations

from collections.abc import Callable

from tidings.api import hosting, serve
from tidings.api.answer import Application
from tidings.api.guard import admit_local
from tidings.app import App, Opened
from tidings.console import PATH, Console
from tidings.ports import Ports
from tidings.settings import Settings


def asgi(app: App, settings: Settings | None = None, *, ports: Ports | None = None) -> Application:
    """Return an ASGI application that opens the App with its lifespan: `uvicorn module:served`.

    Mounted, it gets no lifespan of its own: open the App in that of the application around it, with
    `async with app.open():`. `settings`, `ports`: as of `App.open`. The console is at `/console` below it, unless the
    setting `console` is "off".
    """
    return hosting.asgi(app, settings, ports=ports, pages=console)


def run(app: App, settings: Settings, ports: Ports, on_ready: Callable[[str], None] = serve.nobody) -> int:
    """Serve the App until a signal ends it, and return the exit code. See `tidings.api.serve.Server.run`."""
    return serve.run(app, settings, ports, on_ready, console)


def console(opened: Opened) -> Console | None:
    """Return the console of an open App; None where its settings leave it off."""
    return Console(opened, admit_local) if has_console(opened.settings) else None


def has_console(settings: Settings) -> bool:
    """Say whether a server with these settings has a console."""
    return settings.console == "on"


def console_url(url: str, settings: Settings) -> str | None:
    """Return where the console of the server at this address is; None if it has none."""
    return url + PATH if has_console(settings) else None
