"""`tidings log`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli import completing
from tidings.cli.asking import confirm
from tidings.cli.output import Output
from tidings.cli.session import WHO, AppName, AsJson, Session, tokens_of
from tidings.cli.times import time_of
from tidings.errors import CallerError, UnknownTypeError
from tidings.wording import absent

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.events.envelope import Entry
    from tidings.events.filter import Filter
    from tidings.faces.tokens import Tokens
    from tidings.operations import inspect, replay
    from tidings.operations.chain import Chain
    from tidings.operations.search import Sought

commands = typer.Typer(help="What was said: the log's entries.")


@commands.command()
def tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    type: Annotated[
        list[str] | None,
        typer.Option(help="Only this event type; may be given again.", autocompletion=completing.types),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only what this source says.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only what is about this subject.")] = None,
    pattern: Annotated[
        str | None, typer.Option(help='Only what this event pattern matches: \'{"data": {"folder": ["all"]}}\'.')
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many of the last entries.")] = 20,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Show the log's last entries, oldest first. With --follow, --json prints one object a line.

    Exit code 2 for a type that the log does not have and the application at hand does not declare.

    Example: tidings log tail --follow --type tweet-bookmarked
    """
    from tidings.events.filter import Filter
    from tidings.events.patterns.grammar import compile_pattern
    from tidings.operations.search import Sought

    sought = Sought(
        where=Filter(types=frozenset(type) if type else None, source=source, subject=subject),
        pattern=None if pattern is None else compile_pattern(pattern),
    )
    session, output = Session(app), Output(as_json=as_json)
    try:
        session.look(lambda opened: _tail(session, opened, output, sought, limit=limit, follow=follow))
    except KeyboardInterrupt:
        if not follow:
            raise


@commands.command()
def show(
    source: Annotated[str, typer.Argument(help="Who said it.")],
    id: Annotated[str, typer.Argument(help="The id that the source gave it.")],
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Show one event whole, what every consumer and endpoint has made of it, and the tree of its causes and effects.


    Example: tidings log show web bm-1
    """
    from tidings.cli.shapes import chain_branches, delivered_row, entry_fields, standing_row
    from tidings.faces.entries import chain_object, entry_object, status_object
    from tidings.operations import inspect
    from tidings.operations.chain import chain

    session = Session(app)

    async def work(opened: Opened) -> tuple[inspect.Shown, Chain, Tokens]:
        shown = await inspect.show(opened.log, opened.store, session.services, source=source, id=id)
        return shown, await chain(opened.log, shown.entry), await tokens_of(opened)

    found, linked, tokens = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        whole = status_object(tokens, found) | entry_object(tokens, found.entry)
        output.json({**whole, "chain": chain_object(tokens, linked)})
        return
    output.fields(entry_fields(found.entry))
    output.say("")
    output.rows([standing_row(each) for each in found.standings], empty="no consumer has been here yet")
    if found.deliveries:
        output.say("")
        output.rows([delivered_row(each) for each in found.deliveries], empty="")
    output.say("")
    output.tree("causes and effects", chain_branches(linked, found.entry.position))
    if not linked.is_whole:
        output.say("perhaps more: causes from long before and effects from long after were not looked for")


@commands.command("replay")
def replay_(
    consumer: Annotated[
        str, typer.Argument(help="As `tidings consumers` names it.", autocompletion=completing.consumers)
    ],
    from_position: Annotated[
        str | None, typer.Option(help="Begin with the entry at this position: a number, or a token.")
    ] = None,
    from_time: Annotated[str | None, typer.Option(help="Begin with what was recorded then, RFC 3339.")] = None,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Have a service handle old entries again. Nothing is emitted or delivered twice: what it did before is gated.

    Exit code 1, with the reason, if its handlers are not declared replayable, or if it is a view, which is rebuilt.

    Example: tidings log replay ledger --from-time 2026-05-04T10:00:00Z --app shop:app
    """
    from tidings.cli.positions import position_of
    from tidings.faces.consumers import replayed_object
    from tidings.operations import replay

    if (from_position is None) == (from_time is None):
        raise CallerError("replay from where? Give --from-position N or --from-time T, one of them")
    begin = time_of("--from-time", from_time or "") if from_position is None else 0
    session = Session(app)
    services = tuple(session.app.services.values())

    async def work(opened: Opened) -> tuple[replay.Replay, Tokens]:
        log, store, tokens = opened.log, opened.store, await tokens_of(opened)
        if from_position is None:
            return await replay.replay_from_time(log, store, services, consumer, begin, who=WHO), tokens
        first = await position_of(opened, "--from-position", from_position)
        return await replay.replay_from_position(log, store, services, consumer, first, who=WHO), tokens

    done, tokens = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(replayed_object(tokens, done))
    count = f"over {done.entries:,}" if done.at_least else f"{done.entries:,}"
    output.say(f"{done.consumer} goes back to position {done.after}: {count} entries are before it now")


@commands.command()
def restored(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have the log go on as another after its database was restored from an older copy, before servers start again.

    New entries stand a million positions behind what the copy has, so that none of fewer lost ones is given out twice;
    and a position token from before is refused, not taken for an entry that came since. What is kept stays as it is.
    It says so and asks. Exit code 1 if the answer is no, or while a server or another command is on the database.

    Example: tidings log restored
    """
    from tidings.app import begin_life, life_of
    from tidings.log.lives import APART
    from tidings.ports import SystemClock

    session, clock = Session(loads=False), SystemClock()
    now = session.at_rest(lambda settings: life_of(settings, clock))
    output = Output(as_json=as_json)
    if not yes:
        confirm(
            f"The log in {session.settings.place} is {now.incarnation}; its next entry stands behind position "
            f"{now.after}. It will be another: new entries stand behind {now.after + APART}, every position token from "
            "before is refused for ever, and this cannot be taken back. What is kept stays as it is."
        )
    life = session.at_rest(lambda settings: begin_life(settings, clock, who=WHO))
    if as_json:
        output.json({"incarnation": life.incarnation, "before": now.incarnation, "after": life.after})
    output.say(f"the log goes on behind position {life.after}, as {life.incarnation}: start its servers again")


async def _tail(session: Session, opened: Opened, output: Output, sought: Sought, *, limit: int, follow: bool) -> None:
    from tidings.faces.entries import entry_object
    from tidings.operations import inspect
    from tidings.operations.search import Sought

    tokens, where, pattern = await tokens_of(opened), sought.where, sought.pattern
    await _check_types(session, opened, output, where)
    entries, upto = await inspect.tail(opened.log, where=where, pattern=pattern, limit=limit)
    if not entries:
        await _warn(opened, output, where)
    waits = opened.host.hole_seconds > 0
    if waits:
        output.warn("a position is held open by a writer: what stands behind it can be read when that one has ended")
    if output.as_json and not follow:
        output.json([entry_object(tokens, entry) for entry in entries])
        return
    for entry in entries:
        _print(output, tokens, entry)
    if not entries and not follow:
        of_all = "no entry can be read yet" if waits else "the log is empty"
        output.say("no entry matches" if sought != Sought() else of_all)
    if follow:
        async for entry in inspect.follow(opened.log, after=upto, where=where, pattern=pattern):
            _print(output, tokens, entry)


async def _check_types(session: Session, opened: Opened, output: Output, where: Filter) -> None:
    """UnknownTypeError for a type that nobody can have meant; a warning where the application is not at hand."""
    from tidings.operations.unheard import unheard_types

    found = await unheard_types(opened.log, opened.store, session.services, where.types or frozenset())
    for type in found.types:
        told = absent("event type", type, found.known)
        if session.services is not None:
            raise UnknownTypeError(told)
        output.warn(f"{told} (as far as the log and its consumers know; --app tells which are declared)")


async def _warn(opened: Opened, output: Output, where: Filter) -> None:
    """Warn of a source or a subject that no entry has, whatever else was asked for."""
    from tidings.events.filter import Filter
    from tidings.operations.unheard import is_heard

    if where.source is not None and not await is_heard(opened.log, Filter(source=where.source)):
        output.warn(f"nothing that the source {where.source[:100]!r} says is kept here")
    if where.subject is not None and not await is_heard(opened.log, Filter(subject=where.subject)):
        output.warn(f"nothing about the subject {where.subject[:100]!r} is kept here")


def _print(output: Output, tokens: Tokens, entry: Entry) -> None:
    from tidings.cli.shapes import entry_line
    from tidings.faces.entries import entry_object

    if output.as_json:
        output.json(entry_object(tokens, entry))
    output.say(entry_line(entry))
