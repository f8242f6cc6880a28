"""`tidings emit`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing
from tidings.cli.exits import UnknownOutcomeError
from tidings.cli.output import Output
from tidings.cli.session import AppName, AsJson, Session, tokens_of
from tidings.errors import CallerError, LogBusyError, LogUnavailableError

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.events.envelope import Envelope
    from tidings.operations.emit import Kept

SOURCE = "/tidings/cli"

commands = typer.Typer()


@commands.command()
def emit(
    type: Annotated[
        str, typer.Argument(help="The event's type, such as tweet-bookmarked.", autocompletion=completing.types)
    ],
    data: Annotated[str, typer.Argument(metavar="JSON", help="The event's data, or - to read it from standard input.")],
    source: Annotated[str, typer.Option(help="Who says it, a URI-reference.")] = SOURCE,
    id: Annotated[str | None, typer.Option(help="Its id; the same (source, id) again changes nothing.")] = None,
    subject: Annotated[str | None, typer.Option(help="What it is about; else the declared member says it.")] = None,
    time: Annotated[str | None, typer.Option(help="When it happened, RFC 3339; now if absent.")] = None,
    version: Annotated[int | None, typer.Option(help="The type's version; the newest if absent.")] = None,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Append one event. Exit code 1 if its id is taken by another event, 3 if nobody knows whether it was kept.

    Example: tidings emit tweet-bookmarked '{"tweet_id": "20", "user_id": "jack"}' --id bm-1 --app chirp:app
    """
    from tidings.faces.entries import result_object
    from tidings.operations.emit import Given, envelope_of

    session = Session(app)
    raw = _standard_input() if data == "-" else os.fsencode(data)
    given = Given(type=type, data=raw, source=source, id=id, subject=subject, time=time, version=version)

    async def work(opened: Opened) -> tuple[Kept, dict[str, Any]]:
        kept = await _kept(opened, envelope_of(opened.catalog, opened.ports, given))
        return kept, result_object(await tokens_of(opened), (kept.source, kept.id), kept.position, kept.outcome)

    output = Output(as_json=as_json)
    kept, result = session.act(work, makes=True)
    if as_json:
        output.json(result)
    output.say(f"{kept.outcome} at position {kept.position}: {kept.source} {kept.id}")


async def _kept(opened: Opened, envelope: Envelope) -> Kept:
    import asyncio
    from shlex import quote

    from tidings.operations.emit import emit_event

    try:
        return await emit_event(opened.log, opened.retelling, envelope)
    except LogBusyError:
        raise
    except (LogUnavailableError, asyncio.CancelledError) as error:
        again = f"--source {quote(envelope.source)} --id {quote(envelope.id)}"
        why = f" ({error})" if str(error) else ""
        raise UnknownOutcomeError(f"nobody knows whether it was kept: emit it again with {again}{why}") from error


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise CallerError("standard input is closed: give the JSON itself instead of -, or send it through a pipe")
    return sys.stdin.buffer.read()
