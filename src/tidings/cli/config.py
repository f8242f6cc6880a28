"""`tidings config`."""

from __future__ import annotations

import os

import typer

from tidings.cli.output import Output
from tidings.cli.session import AsJson, read_settings

commands = typer.Typer(help="What is set, and where.")


@commands.command()
def show(as_json: AsJson = False) -> None:
    """Show every setting, and whether the environment, tidings.toml or nobody set it.

    Example: TIDINGS_PORT=9000 tidings config show
    """
    from tidings.settings import origins, read_toml

    settings = read_settings()
    said = origins(os.environ, read_toml())
    rows = [{"setting": name, "value": settings.shown(name), "set_by": said[name]} for name in said]
    if not as_json:
        rows = [{**row, "value": _plain(row["value"])} for row in rows]
    Output(as_json=as_json).rows(rows, empty="there are no settings")


def _plain(value: object) -> str:
    return "-" if value is None else str(value)
