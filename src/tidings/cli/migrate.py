"""`tidings migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli.exits import NO, OK
from tidings.cli.output import Output
from tidings.cli.session import AsJson, read_shared_settings

if TYPE_CHECKING:
    from tidings.settings import Settings
    from tidings.store.schema import Schema

commands = typer.Typer(help="The tables that tidings keeps everything in, and their changes from release to release.")

_SAID = {
    "none": "there are no tables of tidings yet: `tidings run` makes them, and so does `tidings migrate apply`",
    "behind": "the tables are of an older release: `tidings migrate apply` takes them on",
    "current": "the tables are those of this release",
    "ahead": "the tables are of a newer release, beside which this one may run",
    "newer": "the tables are of a newer release, and this one cannot use them: `pip install --upgrade tidings`",
}


@commands.command()
def status(as_json: AsJson = False) -> None:
    """Show whether the tables are as this release needs them. Exit code 1 if it cannot run on them as they are.

    Example: tidings migrate status
    """
    settings, schema = _look()
    output = Output(as_json=as_json)
    output.fields(
        {
            "database": settings.place,
            "state": schema.state,
            "schema": schema.found,
            "this_release": schema.known,
            "pending": len(schema.pending),
        }
    )
    output.say(f"\n{settings.place}: {_SAID[schema.state]}")
    raise typer.Exit(NO if schema.refusal else OK)


@commands.command()
def plan(
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements themselves.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which steps `apply` would do. A step that spares it lets the release before run, and start, beside it.

    Exit code 1 if this release cannot use the tables, and `apply` neither.

    Example: tidings migrate plan --sql
    """
    settings, schema = _look()
    output = Output(as_json=as_json)
    steps = [{"step": each.number, "spares": each.spares, "files": list(each.files)} for each in schema.pending]
    if as_json:
        output.json([row | {"sql": each.statements} for row, each in zip(steps, schema.pending, strict=True)])
    elif sql:
        output.say("\n".join(each.statements.strip() for each in schema.pending))
    elif schema.state == "newer":
        output.say(f"{settings.place}: {_SAID[schema.state]}")
    else:
        rows = [{**step, "files": " ".join(each.files)} for step, each in zip(steps, schema.pending, strict=True)]
        output.rows(rows, empty=f"{settings.place}: there is nothing to do, {_SAID[schema.state].partition(':')[0]}")
    raise typer.Exit(NO if schema.state == "newer" else OK)


@commands.command()
def apply(as_json: AsJson = False) -> None:
    """Take the tables to where this release needs them; servers and consumers may go on meanwhile.

    Each step is done whole or not at all, and two that do this at once do it once. There is no way back: copy the
    database first. On PostgreSQL, whoever holds it up for two seconds is named on standard error.

    Example: tidings migrate apply
    """
    import asyncio

    from tidings.app import migrate
    from tidings.errors import SchemaError
    from tidings.ports import SystemClock

    settings, schema = _look()
    if schema.state == "newer":
        raise SchemaError(f"{settings.place} cannot be used: {schema.refusal}")
    output = Output(as_json=as_json)
    done = asyncio.run(migrate(settings, SystemClock(), tell=output.warn))
    if as_json:
        output.json({"database": settings.place, "done": [step.number for step in done]})
    for step in done:
        output.say(f"step {step.number} is done: {' '.join(step.files)}")
    output.say(f"{settings.place}: {_SAID[schema.state if schema.state == 'ahead' else 'current']}")


def _look() -> tuple[Settings, Schema]:
    import asyncio

    from tidings.app import schema_of

    settings = read_shared_settings()
    return settings, asyncio.run(schema_of(settings))
