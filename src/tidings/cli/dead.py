"""`tidings dead`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli.dead_named import drop_named, give_back, show_named
from tidings.cli.dead_which import (
    Consumer,
    DryRun,
    Every,
    ForReason,
    InState,
    MaybeConsumer,
    OfConsumer,
    OfKind,
    OfReceiver,
    OfService,
    Subject,
    ToEndpoint,
    which_of,
)
from tidings.cli.output import Output
from tidings.cli.session import WHO, AsJson, Session, tokens_of
from tidings.errors import CallerError
from tidings.wording import counted

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.faces.tokens import Tokens
    from tidings.operations import dead
    from tidings.operations.letter_acts import Redriven
    from tidings.operations.letters import Letter

LISTED = 10_000
commands = typer.Typer(
    help="Dead letters: what failed, set aside by a handler, given up as a delivery, or no event as a webhook."
)


@commands.command("list")
def list_(
    kind: OfKind = None,
    consumer: OfConsumer = None,
    endpoint: ToEndpoint = None,
    service: OfService = None,
    receiver: OfReceiver = None,
    state: InState = None,
    reason: ForReason = None,
    as_json: AsJson = False,
) -> None:
    """List what failed, oldest first, with reason and last error: parked subjects, then deliveries and receipts.

    Example: tidings dead list --consumer authors --state dead
    Example: tidings dead list --kind delivery --endpoint crm
    """
    from tidings.cli.shapes import in_a_line, letter_row, parked_row
    from tidings.faces.letters import letter_object
    from tidings.operations.counts import count, letters_told
    from tidings.operations.letters import HandlerLetter, heads

    session = Session()
    which = which_of(consumer, state, reason, kind=kind, endpoint=endpoint, service=service, receiver=receiver)

    async def work(opened: Opened) -> tuple[Tokens, Sequence[Letter]]:
        found = await heads(opened.log, opened.store, session.services, which, after=None, limit=LISTED)
        return await tokens_of(opened), found

    tokens, found = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json([letter_object(tokens, each) for each in found])
        return
    parked = [each.parked for each in found if isinstance(each, HandlerLetter)]
    others = [in_a_line(letter_row(each)) for each in found if not isinstance(each, HandlerLetter)]
    if parked or not others:
        output.rows([in_a_line(parked_row(each)) for each in parked], empty="no dead letters")
    if parked:
        output.say(f"\n{letters_told(count(parked))}")
    if others:
        output.say("" if parked else "nothing is parked by a handler or fold\n")
        output.rows(others, empty="")


@commands.command()
def show(consumer: Consumer, subject: Subject = None, as_json: AsJson = False) -> None:
    """Show one parked subject with its entries, in the order in which they are handled; or a dead letter by its name.

    Example: tidings dead show authors 20
    Example: tidings dead show delivery:crm:1042
    """
    from tidings.cli.shapes import entry_line, parked_row
    from tidings.faces.entries import entry_object
    from tidings.faces.letters import whole_letter_object
    from tidings.operations import dead
    from tidings.operations.letters import HandlerLetter

    if subject is None:
        show_named(consumer, as_json=as_json)
        return
    named, session = dead.typed(subject), Session()

    async def work(opened: Opened) -> tuple[dead.Opened, Tokens]:
        return await dead.show(opened.store, session.services, consumer, named), await tokens_of(opened)

    found, tokens = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        entries = [entry_object(tokens, each.entry) for each in found.letters]
        head = HandlerLetter(parked=found.parked, letter=found.letters[0])
        names = [dead.name_of(each.consumer, each.entry.position) for each in found.letters]
        whole = whole_letter_object(tokens, head, bytes(entries[0]["event"]), names)
        output.json({**whole, "entries": entries})
        return
    output.fields(parked_row(found.parked))
    output.say("")
    for letter in found.letters:
        output.say(entry_line(letter.entry))


@commands.command()
def redrive(
    consumer: MaybeConsumer = None,
    subject: Subject = None,
    every: Every = False,
    kind: OfKind = None,
    endpoint: ToEndpoint = None,
    service: OfService = None,
    receiver: OfReceiver = None,
    state: InState = None,
    reason: ForReason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give dead letters back, in order, with a full budget of attempts: a subject, one by its name, or with --all many.

    A delivery is sent again by a running server, a webhook is translated again at once; for that TIDINGS_APP names the
    application that has its receiver. Those of a consumer that nobody runs are left alone; exit code 2 if there are no
    others.

    Example: tidings dead redrive authors 20
    Example: tidings dead redrive authors --all --reason handler-failed
    Example: tidings dead redrive --all --endpoint crm
    """
    from tidings.faces.letters import redriven_object
    from tidings.operations import dead
    from tidings.operations.carried import taken_up

    which = which_of(consumer, state, reason, kind=kind, endpoint=endpoint, service=service, receiver=receiver)
    if (every and subject is not None) or (not every and consumer is None):
        raise CallerError("redrive what? Give CONSUMER and SUBJECT, a NAME, or --all with what it is limited to")
    if not every and which != dead.Which(consumer=consumer):
        raise CallerError("give CONSUMER and SUBJECT, or --all with what it is limited to, not both")
    session = Session()

    async def work(opened: Opened) -> tuple[Redriven, str]:
        done = await give_back(opened, session.services, which, subject, every=every, dry_run=dry_run)
        return done, await taken_up(opened.store, done.consumers)

    done, next_step = session.with_receivers(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(redriven_object(done, dry_run=dry_run))
    what = f"{_subjects(done.subjects)} with {_entries(done.entries)}"
    output.say(f"would be due: {what}" if dry_run else f"due now: {what}; {next_step}")
    if done.failed:
        output.say(f"not given back, `tidings dead list` says why: {done.failed:,}")


@commands.command()
def drop(
    consumer: Consumer,
    subject: Subject = None,
    *,
    reason: Annotated[str, typer.Option(help="Why it is given up; kept in the audit.")],
    position: Annotated[
        str | None, typer.Option(help="The entry it must be, by number or token: the first, which failed.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All entries of the subject.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give up a dead letter for ever, for a reason. What waits behind it goes on by itself.

    Exit code 1 for one that waits behind another: that one comes first.

    Example: tidings dead drop authors 20 --reason "the author asked for erasure"
    Example: tidings dead drop receipt:till:7 --reason "a test of theirs"
    """
    from tidings.cli.positions import position_of
    from tidings.faces.letters import given_up_object
    from tidings.operations import dead
    from tidings.operations.dead import name_of

    if every and position is not None:
        raise CallerError("give --position or --all, not both")
    if subject is None:
        if every or position is not None:
            raise CallerError("give CONSUMER and SUBJECT with --position or --all: a NAME is of one entry")
        drop_named(consumer, reason=reason, as_json=as_json)
        return
    session = Session()

    async def work(opened: Opened) -> dead.Dropped:
        at = None if position is None else await position_of(opened, "--position", position)
        why, named = dead.told(reason), dead.typed(subject)
        await dead.find(opened.store, session.services, consumer, named)
        if every:
            return await dead.drop_subject(opened.store, consumer, named, reason=why, who=WHO)
        return await dead.drop(opened.store, consumer, named, position=at, reason=why, who=WHO)

    done = session.look(work)
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
    kind: OfKind = None,
    consumer: OfConsumer = None,
    endpoint: ToEndpoint = None,
    service: OfService = None,
    receiver: OfReceiver = None,
    state: InState = None,
    where_reason: Annotated[
        str | None, typer.Option(help="Only what failed for this reason, such as undecodable.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give up, for ever, what failed of each subject that fits. What waits behind it goes on by itself.

    Example: tidings dead drop-each --consumer authors --where-reason undecodable --reason "a till that sent rubbish"
    """
    from tidings.faces.letters import dropped_object
    from tidings.operations.letter_acts import GivenUp

    session = Session()
    which = which_of(consumer, state, where_reason, kind=kind, endpoint=endpoint, service=service, receiver=receiver)

    async def work(opened: Opened) -> GivenUp:
        return await opened.letters(session.services).drop_each(which, reason=reason, who=WHO, dry_run=dry_run)

    done = session.look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(dropped_object(done, dry_run=dry_run))
    said = "would be dropped" if dry_run else "dropped"
    output.say(f"{said}: what failed of {_subjects(done.subjects)}; left of theirs: {_entries(done.left)}")


def _subjects(count: int) -> str:
    return counted(count, "subject")


def _entries(count: int) -> str:
    return counted(count, "entry", "entries")
