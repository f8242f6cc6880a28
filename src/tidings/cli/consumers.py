"""`tidings consumers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing
from tidings.cli.output import Output
from tidings.cli.session import WHO, AppName, AsJson, Session, tokens_of

if TYPE_CHECKING:
    from tidings.app import Opened

commands = typer.Typer()
Consumer = Annotated[str, typer.Argument(help="As `tidings consumers` names it.", autocompletion=completing.consumers)]

_EXPIRED = (
    "{consumer} is not paused, but expired: events were removed that it had not read, and it reads nothing until "
    "`tidings consumers begin {consumer}` is run"
)


@commands.callback(invoke_without_command=True)
def consumers(context: typer.Context, app: AppName = None, as_json: AsJson = False) -> None:
    """Show how far each consumer is behind the log, in entries and in seconds, and what it has set aside.

    With the application at hand, only the types that a service reads are counted; without it, all.

    Example: tidings consumers --app chirp:app
    """
    if context.invoked_subcommand is not None:
        if app is not None or as_json:
            raise typer.BadParameter(f"write --app and --json behind {context.invoked_subcommand}")
        return
    from tidings.cli.shapes import lag_row
    from tidings.operations.lag import lag

    session = Session(app)

    async def work(opened: Opened) -> list[dict[str, Any]]:
        if as_json:
            return await _objects(opened, session)
        return [lag_row(each) for each in await lag(opened.log, opened.store, opened.ports.clock, session.services)]

    Output(as_json=as_json).rows(session.look(work), empty="there are no consumers yet")


async def _objects(opened: Opened, session: Session) -> list[dict[str, Any]]:
    from tidings.faces.consumers import consumer_object
    from tidings.operations.lag import lag

    tokens = await tokens_of(opened)
    found = await lag(opened.log, opened.store, opened.ports.clock, session.services)
    return [consumer_object(tokens, each, await opened.store.checkpoints(each.name)) for each in found]


async def _object(opened: Opened, session: Session, consumer: str) -> dict[str, Any]:
    return next(each for each in await _objects(opened, session) if each["consumer"] == consumer)


@commands.command()
def pause(
    consumer: Consumer,
    reason: Annotated[str, typer.Option(help="Why; whoever finds it paused will want to know.")],
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Stop a consumer where it stands, also in a server that runs. What is under way for it is rolled back.

    Exit code 1 if it cannot be paused.

    Example: tidings consumers pause orders --reason "the carrier is down"
    """
    from tidings.operations import pausing

    session = Session(app)

    async def work(opened: Opened) -> dict[str, Any] | None:
        await pausing.pause(opened.store, session.services, consumer, reason=reason, who=WHO)
        return await _object(opened, session, consumer) if as_json else None

    shown = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(f"{consumer} is paused: {reason.strip()}")


@commands.command()
def begin(consumer: Consumer, app: AppName = None, as_json: AsJson = False) -> None:
    """Have an expired consumer begin with the oldest event that is kept, and without those that were removed.

    It is expired where events were removed from the log before it had read them, as is one of a new service; until
    this is said, or they are back, it reads nothing; then a process that carries it goes on within a minute. A view
    whose events were removed lacks what they said. Exit code 1 if nothing that was removed keeps it.

    Example: tidings consumers begin orders
    """
    from tidings.operations.beginning import begin as begin_after

    session = Session(app)

    async def work(opened: Opened) -> tuple[int, dict[str, Any] | None]:
        floor = await begin_after(opened.log, opened.store, session.services, consumer, who=WHO)
        return floor, await _object(opened, session, consumer) if as_json else None

    floor, shown = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(
        f"{consumer} begins after position {floor}, up to which nothing is kept; a process that carries it goes on "
        "within a minute"
    )


@commands.command()
def resume(consumer: Consumer, app: AppName = None, as_json: AsJson = False) -> None:
    """Let a paused consumer go on where it stands. One that is not paused stays as it is.

    Example: tidings consumers resume orders
    """
    from tidings.operations import pausing

    session = Session(app)

    async def work(opened: Opened) -> dict[str, Any]:
        await pausing.resume(opened.store, session.services, consumer, who=WHO)
        return await _object(opened, session, consumer)

    shown = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(_EXPIRED.format(consumer=consumer) if shown["expired"] else f"{consumer} goes on")
