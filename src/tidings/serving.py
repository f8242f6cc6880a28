"""An App as others meet it: its HTTP API, and the operator's console beside it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import watchfiles

from tidings.api import broken, hosting, listening, serve
from tidings.api.answer import Application
from tidings.api.guard import admit_local
from tidings.app import App, Opened
from tidings.console import PATH, Console
from tidings.ports import Ports
from tidings.settings import Settings
from tidings.supervisor import Link, Supervisor

_log = logging.getLogger("tidings.serving")


@dataclass(frozen=True, slots=True)
class Command:
    """How a worker is begun: what is run, and in what environment."""

    arguments: Sequence[str]
    environ: Mapping[str, str]


def asgi(app: App, settings: Settings | None = None, *, ports: Ports | None = None) -> Application:
    """Return an ASGI application that opens the App with its lifespan: `uvicorn module:served`.

    Mounted, it gets no lifespan of its own: open the App in that of the application around it, with
    `async with app.open():`. `settings`, `ports`: as of `App.open`. The console is at `/console` below it, unless the
    setting `console` is "off".
    """
    return hosting.asgi(app, settings, ports=ports, pages=console)


def run(
    app: App,
    settings: Settings,
    ports: Ports,
    on_ready: Callable[[str], None] = serve.nobody,
    worker: serve.Worker | None = None,
) -> int:
    """Serve the App until a signal ends it, and return the exit code. See `tidings.api.serve.serve`."""
    return serve.run(app, settings, ports, on_ready, console, worker)


def inherited(worker: str) -> serve.Worker:
    """Return what the supervisor of this process gave it: `worker` is what stands behind `--worker`."""
    listening, link = (int(descriptor) for descriptor in worker.split(","))
    return serve.Worker(socket.socket(fileno=listening), Link(link))


def supervise(
    command: Command, settings: Settings, workers: int, on_ready: Callable[[str], None], *, reload: bool
) -> int:
    """Serve with workers that run this command, until a signal; return the exit code. See `Supervisor`.

    `reload`: they begin anew whenever a source file changes in this folder.
    """
    return asyncio.run(_supervise(command, settings, workers, on_ready, reload=reload))


async def _supervise(
    command: Command, settings: Settings, workers: int, on_ready: Callable[[str], None], *, reload: bool
) -> int:
    with await listening.bound(settings.host, settings.port) as shared:
        url = listening.url_of(settings.host, shared)
        supervisor = Supervisor(
            command.arguments,
            command.environ,
            count=workers,
            listening=shared,
            say=_log.warning,
            meanwhile=partial(broken.answering, shared),
        )
        return await supervisor.run(lambda: on_ready(url), _changes() if reload else None)


async def _changes() -> AsyncIterator[str]:
    async for found in watchfiles.awatch(".", watch_filter=watchfiles.PythonFilter(extra_extensions=(".toml",))):
        paths = sorted(Path(path).name for _, path in found)
        yield f"{paths[0]} changed" if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more changed"


def console(opened: Opened) -> Console | None:
    """Return the console of an open App; None where its settings leave it off."""
    return Console(opened, admit_local) if has_console(opened.settings) else None


def has_console(settings: Settings) -> bool:
    """Say whether a server with these settings has a console."""
    return settings.console == "on"


def console_url(url: str, settings: Settings) -> str | None:
    """Return where the console of the server at this address is; None if it has none."""
    return url + PATH if has_console(settings) else None
