"""What `tidings receivers` does with what came to receivers: replays one receipt, or all that came since a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli.output import Output
from tidings.cli.receipts import Id, with_receivers
from tidings.cli.session import WHO, AppName, AsJson
from tidings.cli.times import time_of

if TYPE_CHECKING:
    from tidings.app import Opened

LEFT_SHOWN = 10


def replay(
    receiver: Id,
    number: Annotated[int | None, typer.Argument(min=1, help="As `tidings receivers receipts` shows it.")] = None,
    since: Annotated[
        str | None, typer.Option(help="In its place: all that came then or later, RFC 3339, the oldest first.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Go on with this run of --since, which was stopped.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what --since would replay.")] = False,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Make a receipt's bytes into events again, by the code as it is now.

    One that failed becomes the events that it should have been, once; any other becomes new events, with ids of their
    own. --since leaves out what is in conflict, and what was dropped. Exit code 1 if something still cannot be read, or
    its body is not kept any more.

    Example: tidings receivers replay till 7 --app shop:app
    Example: tidings receivers replay till --since 2026-05-04T10:00:00Z --dry-run --app shop:app
    """
    from tidings.errors import CallerError

    if (number is None) == (since is None):
        raise CallerError("say which: one receipt by its number, or all that came, with --since")
    if since is None and (run is not None or dry_run):
        raise CallerError("--run and --dry-run are for --since")
    if number is not None:
        _replay_one(receiver, number, app, as_json=as_json)
    elif since is not None:
        wanted = {"since": time_of("--since", since), "run": time_of("--run", run), "dry_run": dry_run}
        _replay_all(receiver, wanted, app, as_json=as_json)


def _replay_one(receiver: str, number: int, app: str | None, *, as_json: bool) -> None:
    from tidings.app.receiving import receivers_of
    from tidings.cli.exits import NO
    from tidings.faces.receivers import replayed_object

    async def work(opened: Opened) -> dict[str, Any]:
        return replayed_object(receiver, await receivers_of(opened).replay(receiver, number, who=WHO))

    done = with_receivers(app, work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(done)
    if done["error"] is not None:
        output.say(f"it is still no events: {done['error']}")
        raise typer.Exit(NO)
    output.say("\n".join(f"{each['type']} {each['id']}" for each in done["events"]) or "it says nothing here")


def _replay_all(receiver: str, wanted: dict[str, Any], app: str | None, *, as_json: bool) -> None:
    from tidings.app.receiving import receivers_of
    from tidings.cli.exits import NO
    from tidings.faces.receivers import replayed_all_object
    from tidings.operations.receipts_again import Wanted, replay_since

    async def work(opened: Opened) -> dict[str, Any]:
        with Output(as_json=as_json).progress() as progress:
            asked = Wanted(**wanted, progress=progress)
            return replayed_all_object(receiver, await replay_since(receivers_of(opened), receiver, asked, who=WHO))

    done = with_receivers(app, work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(done)
    elif done["dry_run"]:
        output.say(f"{done['receipts']:,} receipts would be replayed; nothing was changed")
    else:
        output.say(f"{done['receipts']:,} receipts became {done['events']:,} events in the run {done['run']}")
        _say_left(output, done["left"])
    if done["left"]:
        raise typer.Exit(NO)


def _say_left(output: Output, left: list[dict[str, Any]]) -> None:
    for each in left[:LEFT_SHOWN]:
        output.say(f"{each['receipt']} is no events: {each['error']}")
    if len(left) > LEFT_SHOWN:
        output.say(f"… and {len(left) - LEFT_SHOWN:,} more: --json shows all")
