"""`tidings dead`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing
from tidings.cli.output import Output
from tidings.cli.session import WHO, AsJson, Session, tokens_of
from tidings.errors import CallerError
from tidings.wording import counted

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.faces.tokens import Tokens
    from tidings.operations import dead
    from tidings.services.service import Service
    from tidings.store.parking import Parked

commands = typer.Typer(help="Dead letters: what failed, set aside with its subject until it is handled or dropped.")


class State(StrEnum):
    retrying = "retrying"
    dead = "dead"


Consumer = Annotated[str, typer.Argument(help="Whose handler or fold failed.", autocompletion=completing.consumers)]
Subject = Annotated[str, typer.Argument(help="As `tidings dead list` shows it.")]
OfConsumer = Annotated[
    str | None, typer.Option("--consumer", help="Only of this consumer.", autocompletion=completing.consumers)
]
InState = Annotated[State | None, typer.Option("--state", help="Only those that are tried again, or that are not.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count them, and change nothing.")]
ForReason = Annotated[str | None, typer.Option("--reason", help="Only for this reason, such as handler-failed.")]


@commands.command("list")
def list_(
    consumer: OfConsumer = None, state: InState = None, reason: ForReason = None, as_json: AsJson = False
) -> None:
    """List the parked subjects, oldest first, with the reason and the last error.

    Example: tidings dead list --consumer bookmarks --state dead
    """
    from tidings.cli.shapes import parked_row
    from tidings.faces.letters import letter_object
    from tidings.operations import dead, letters
    from tidings.operations.counts import count, letters_told

    session, which = Session(), _which(consumer, state, reason)

    async def objects(opened: Opened) -> list[dict[str, Any]]:
        tokens = await tokens_of(opened)
        heads = await letters.heads(opened.store, session.services, which, after=None, limit=None)
        return [letter_object(tokens, each) for each in heads]

    async def work(opened: Opened) -> Sequence[Parked]:
        return await dead.parked(opened.store, session.services, which)

    output = Output(as_json=as_json)
    if as_json:
        output.json(session.look(objects))
        return
    found = session.look(work)
    output.rows([parked_row(each) for each in found], empty="nothing is parked")
    if found:
        output.say(f"\n{letters_told(count(found))}")


@commands.command()
def show(consumer: Consumer, subject: Subject, as_json: AsJson = False) -> None:
    """Show one parked subject with its entries, in the order in which they will be handled.

    Example: tidings dead show bookmarks jack
    """
    from tidings.cli.shapes import entry_line, parked_row
    from tidings.faces.entries import entry_object
    from tidings.faces.letters import whole_letter_object
    from tidings.operations import dead
    from tidings.operations.letters import Letter

    async def work(opened: Opened) -> tuple[dead.Opened, Tokens]:
        return await dead.show(opened.store, consumer, dead.typed(subject)), await tokens_of(opened)

    found, tokens = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        entries = [entry_object(tokens, each.entry) for each in found.letters]
        head = Letter(parked=found.parked, letter=found.letters[0])
        whole = whole_letter_object(tokens, head, bytes(entries[0]["event"]), found.letters)
        output.json({**whole, "entries": entries})
        return
    output.fields(parked_row(found.parked))
    output.say("")
    for letter in found.letters:
        output.say(entry_line(letter.entry))


@commands.command()
def redrive(
    consumer: Annotated[
        str | None, typer.Argument(help="Whose handler or fold failed.", autocompletion=completing.consumers)
    ] = None,
    subject: Annotated[str | None, typer.Argument(help="As `tidings dead list` shows it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All subjects, or all that --state and --reason say.")] = False,
    state: InState = None,
    reason: ForReason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give parked entries back to their handler, in order: one subject, or with --all many.

    Those of a consumer that nobody runs are left alone; exit code 2 if there are no others.

    Example: tidings dead redrive bookmarks jack
    Example: tidings dead redrive bookmarks --all --reason handler-failed
    """
    from tidings.faces.letters import redriven_object
    from tidings.operations.carried import taken_up

    if every == (subject is not None):
        raise CallerError("redrive what? Give CONSUMER and SUBJECT, or --all with what it is limited to")
    if not every and (state is not None or reason is not None):
        raise CallerError("give CONSUMER and SUBJECT, or --all with --state or --reason, not both")

    session, which = Session(), _which(consumer, state, reason)

    async def work(opened: Opened) -> tuple[Sequence[Parked], str]:
        found = await _given_back(opened, session.services, which, subject, dry_run=dry_run)
        return found, await taken_up(opened.store, {each.consumer for each in found})

    found, next_step = session.look(work)
    output = Output(as_json=as_json)
    entries = sum(each.entries for each in found)
    if as_json:
        output.json(redriven_object(subjects=len(found), entries=entries, dry_run=dry_run))
    what = f"{_subjects(len(found))} with {_entries(entries)}"
    output.say(f"would be due: {what}" if dry_run else f"due now: {what}; {next_step}")


@commands.command()
def drop(
    consumer: Consumer,
    subject: Subject,
    reason: Annotated[str, typer.Option(help="Why it is given up; kept in the audit.")],
    position: Annotated[
        str | None, typer.Option(help="The entry it must be, by number or token: the first, which failed.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All entries of the subject.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give up a dead letter for ever, for a reason. What waits behind it goes on by itself.

    Exit code 1 for one that waits behind another: that one comes first.

    Example: tidings dead drop bookmarks jack --reason "the user asked for erasure"
    """
    from tidings.cli.positions import position_of
    from tidings.faces.letters import given_up_object
    from tidings.operations import dead
    from tidings.operations.dead import name_of

    if every and position is not None:
        raise CallerError("give --position or --all, not both")

    async def work(opened: Opened) -> dead.Dropped:
        if every:
            return await dead.drop_subject(opened.store, consumer, dead.typed(subject), reason=reason, who=WHO)
        at = None if position is None else await position_of(opened, "--position", position)
        return await dead.drop(opened.store, consumer, dead.typed(subject), position=at, reason=reason, who=WHO)

    done = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        names = [name_of(consumer, place) for place in done.positions]
        one = given_up_object(names[0], left=done.left, dry_run=False)
        output.json({"dead_letters": names, "left": done.left, "dry_run": False} if every else one)
    at = ", ".join(map(str, done.positions))
    output.say(f"dropped what was set aside at {at}; left of {subject}: {_entries(done.left)}")


@commands.command("drop-each")
def drop_each(
    reason: Annotated[str, typer.Option(help="Why they are given up; kept in the audit.")],
    consumer: OfConsumer = None,
    state: InState = None,
    where_reason: Annotated[
        str | None, typer.Option(help="Only what failed for this reason, such as undecodable.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give up, for ever, what failed of each subject that fits. What waits behind it goes on by itself.

    Example: tidings dead drop-each --consumer bookmarks --where-reason undecodable --reason "a till that sent rubbish"
    """
    from tidings.faces.letters import dropped_object
    from tidings.operations import dead

    session, which = Session(), _which(consumer, state, where_reason)

    async def work(opened: Opened) -> tuple[int, int]:
        if dry_run:
            found = await dead.all_droppable(opened.store, session.services, which, reason=reason)
            return len(found), sum(each.entries for each in found)
        done = await dead.drop_each(opened.store, session.services, which, reason=reason, who=WHO)
        return len(done), sum(each.left for each in done)

    subjects, left = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(dropped_object(subjects=subjects, left=left, dry_run=dry_run))
    said = "would be dropped" if dry_run else "dropped"
    output.say(f"{said}: the entry that failed, of {_subjects(subjects)}; left of theirs: {_entries(left)}")


async def _given_back(
    opened: Opened, services: Sequence[Service] | None, which: dead.Which, subject: str | None, *, dry_run: bool
) -> Sequence[Parked]:
    from tidings.operations import dead

    store, clock = opened.store, opened.ports.clock
    if subject is not None and which.consumer is not None:
        whose = which.consumer, dead.typed(subject)
        if dry_run:
            return [await dead.redrivable(store, clock, services, *whose)]
        return [await dead.redrive(store, clock, services, *whose, who=WHO)]
    if dry_run:
        return await dead.all_redrivable(store, clock, services, which)
    return await dead.redrive_all(store, clock, services, which, who=WHO)


def _which(consumer: str | None, state: State | None, reason: str | None) -> dead.Which:
    from tidings.operations import dead

    return dead.Which(consumer=consumer, state=None if state is None else state.value, reason=reason)


def _subjects(count: int) -> str:
    return counted(count, "subject")


def _entries(count: int) -> str:
    return counted(count, "entry", "entries")
