"""`tidings run`."""

from __future__ import annotations

from typing import Annotated

import typer

from tidings.cli import records
from tidings.cli.loading import load_app
from tidings.cli.output import Output
from tidings.cli.session import AsJson, read_settings
from tidings.errors import SettingError
from tidings.ports import Ports


def run(
    app: Annotated[
        str | None,
        typer.Argument(metavar="APP", help="MODULE:ATTRIBUTE of the App; else TIDINGS_APP or tidings.toml say it."),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Carry this service alone; again for each further one. All, if none is named."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen; 127.0.0.1 if nothing else is said.")] = None,
    port: Annotated[int | None, typer.Option(help="The port, 0 for a free one; 8080 if nothing else is said.")] = None,
    as_json: AsJson = False,
) -> None:
    """Serve an application: its HTTP API, its handlers, its views. Ctrl-C finishes what is under way; twice stops.

    Example: tidings run chirp:app --port 9000
    """
    from tidings.serving import console_url  # the server is of no use to any other command, and slow to import
    from tidings.serving import run as serve

    services = ",".join(service) if service else None
    settings = read_settings(app=app, services=services, host=host, port=port)
    if settings.app is None:
        raise SettingError("which application? Write `tidings run MODULE:ATTRIBUTE`, or set TIDINGS_APP")
    loaded = load_app(settings.app)
    records.set_up()
    output = Output(as_json=as_json)

    def ready(url: str) -> None:
        console = console_url(url, settings)
        if as_json:
            output.json({"app": settings.app, "url": url, "console": console, "database": settings.sqlite_path})
        pages = "" if console is None else f", its console at {console}"
        output.say(f"{settings.app} is at {url}{pages}, database {settings.sqlite_path} (Ctrl-C ends it)")

    raise typer.Exit(serve(loaded, settings, Ports(), ready))
