"""`tidings run`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli import completing
from tidings.cli.loading import load_app
from tidings.cli.output import Output
from tidings.cli.session import AsJson, read_settings
from tidings.errors import SettingError, TidingsError
from tidings.settings import IN_MEMORY

if TYPE_CHECKING:
    from tidings.settings import Settings


def run(
    app: Annotated[
        str | None,
        typer.Argument(metavar="APP", help="MODULE:ATTRIBUTE of the App; else TIDINGS_APP or tidings.toml say it."),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Carry this service alone; again for each further one. All, if none is named.",
            autocompletion=completing.services,
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen; 127.0.0.1 if nothing else is said.")] = None,
    port: Annotated[int | None, typer.Option(help="The port, 0 for a free one; 8080 if nothing else is said.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port and the work.")] = 1,
    reload: Annotated[bool, typer.Option("--reload", help="Begin again whenever a source file changes here.")] = False,
    worker: Annotated[str | None, typer.Option(hidden=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Serve an application: its HTTP API, its handlers, its views. Ctrl-C finishes what is under way; twice stops.

    With --workers, one that dies is begun again, and none outlives the command. --reload is for developing:
    while the source has a mistake, every request is answered with 503 and where it is.

    Example: tidings run chirp:app --port 9000 --workers 2
    """
    given = Given(app=app, services=tuple(service or ()), host=host, port=port)
    if worker is not None:
        raise typer.Exit(_work(given, worker))
    if reload and workers > 1:
        raise typer.BadParameter("--reload begins one process anew: leave out --workers")
    if reload or workers > 1:
        raise typer.Exit(_supervise(given, Output(as_json=as_json), workers, reload=reload))
    raise typer.Exit(_serve(given, Output(as_json=as_json)))


def _settings(given: Given) -> Settings:
    services = ",".join(given.services) if given.services else None
    settings = read_settings(app=given.app, services=services, host=given.host, port=given.port)
    if settings.app is None:
        raise SettingError("which application? Write `tidings run MODULE:ATTRIBUTE`, or set TIDINGS_APP")
    return settings


def _work(given: Given, worker: str) -> int:
    """Serve as one of a supervisor's workers, and tell it why that cannot be."""
    from tidings import serving
    from tidings.cli import records
    from tidings.ports import Ports

    inherited = serving.inherited(worker)
    try:
        settings = _settings(given)
        loaded = load_app(settings.app or "")
        records.set_up()
        return serving.run(loaded, settings, Ports(), worker=inherited)
    except TidingsError as error:
        inherited.link.failed(str(error))
        raise


def _serve(given: Given, output: Output) -> int:
    from tidings import serving
    from tidings.cli import records
    from tidings.ports import Ports

    settings = _settings(given)
    loaded = load_app(settings.app or "")
    records.set_up()
    return serving.run(loaded, settings, Ports(), partial(_say_ready, output, settings))


def _supervise(given: Given, output: Output, workers: int, *, reload: bool) -> int:
    from tidings.cli import records
    from tidings.serving import Command, supervise

    settings, environ = _settings(given), dict(os.environ)
    if workers > 1 and settings.place == IN_MEMORY:
        raise SettingError(
            "each worker would have a database of its own in memory: give TIDINGS_DATABASE_URL a file, or leave out "
            "--workers"
        )
    if workers > 1:  # a page's form would come back to another process, which knows nothing of the page
        settings, environ["TIDINGS_CONSOLE"] = replace(settings, console="off"), "off"
    records.set_up()
    command = Command([sys.executable, "-m", "tidings", "run", *given.arguments()], environ)
    return supervise(command, settings, workers, partial(_say_ready, output, settings), reload=reload)


def _say_ready(output: Output, settings: Settings, url: str) -> None:
    from tidings.serving import console_url

    console = console_url(url, settings)
    if output.as_json:
        output.json({"app": settings.app, "url": url, "console": console, "database": settings.place})
    pages = "" if console is None else f", its console at {console}"
    output.say(f"{settings.app} is at {url}{pages}, database {settings.place} (Ctrl-C ends it)")


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says."""

    app: str | None
    services: tuple[str, ...]
    host: str | None
    port: int | None

    def arguments(self) -> list[str]:
        """Return the same as arguments, for a worker."""
        named = [("--service", name) for name in self.services] + [("--host", self.host), ("--port", self.port)]
        said = [str(part) for option, value in named if value is not None for part in (option, value)]
        return said if self.app is None else [self.app, *said]
