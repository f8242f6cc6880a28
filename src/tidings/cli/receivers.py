"""`tidings receivers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing, receipt_acts, receipts, trying
from tidings.cli.members import members_of, secrets_of
from tidings.cli.output import Output
from tidings.cli.session import WHO, AppName, AsJson, Session

if TYPE_CHECKING:
    from tidings.app import Opened

commands = typer.Typer(help="Receivers: the doors for webhooks, what came to each, and why one is refused.")

Id = Annotated[str, typer.Argument(help="As `tidings receivers list` shows it.", autocompletion=completing.receivers)]
Secret = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT|-", help="What it is signed with, the newest first; -: a line of standard input each."),
]
Setting = Annotated[
    list[str] | None, typer.Option(metavar="NAME=TEXT", help="What its preset needs, such as webhook_id=WH-1; all.")
]
Url = Annotated[str | None, typer.Option(help="Where its provider sends to, if that is signed.")]
Every = Annotated[float | None, typer.Option(metavar="SECONDS", help="Silence for longer is told as receiver.silent.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="MEMBER=JSON", help="Such as public_url=null; give it for each.")
]

for _act in (receipts.receipts, receipts.receipt, receipt_acts.replay):
    commands.command()(_act)
commands.command("try")(trying.try_)
commands.command()(trying.sign)


@commands.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, by id.")] = 100,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """List receivers: those made here, and with the application at hand those of its code.

    What came is counted among the 10,000 newest receipts of each.

    Example: tidings receivers list --app shop:app
    """
    from tidings.app.receiving import receivers_of
    from tidings.faces.receivers import receiver_object

    async def work(opened: Opened) -> list[dict[str, Any]]:
        return [receiver_object(each) for each in await receivers_of(opened).list(limit=limit)]

    session = Session(app)
    found = session.with_receivers(work)
    if not as_json:
        found = [_row(each) for each in found]
    Output(as_json=as_json).rows(found, empty=_none(session))


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a line of the list shows of a receiver."""
    names = ("receiver", "preset", "source", "state", "silent", "last_seen")
    return {**{name: found[name] for name in names}, **found["counts"]}


def _none(session: Session) -> str:
    if session.services is None:
        return "there are none in the database; those of an application's code are listed with --app MODULE:ATTRIBUTE"
    return "there are no receivers: `tidings receivers add NAME --preset stripe --source /till --secret -` makes one"


@commands.command()
def show(receiver: Id, app: AppName = None, as_json: AsJson = False) -> None:
    """Show one receiver: configured how, what came, whether it is silent. No secrets.

    Example: tidings receivers show till --app shop:app
    """
    from tidings.app.receiving import receivers_of
    from tidings.faces.receivers import receiver_object

    async def work(opened: Opened) -> dict[str, Any]:
        return receiver_object(await receivers_of(opened).show(receiver))

    Output(as_json=as_json).fields(receipts.with_receivers(app, work))


@commands.command()
def add(
    receiver: Annotated[str, typer.Argument(help="What it is called: the last part of its URL, /hooks/RECEIVER.")],
    preset: Annotated[str, typer.Option(help="Whose webhooks they are.", autocompletion=completing.presets)],
    source: Annotated[str, typer.Option(help="The source of its events, a URI-reference.")],
    secret: Secret = None,
    setting: Setting = None,
    public_url: Url = None,
    expected_every: Every = None,
    set_: Set = None,
    as_json: AsJson = False,
) -> None:
    """Make a receiver, which takes webhooks at once. Exit code 1 if there is one of this name.

    Example: tidings receivers add till --preset stripe --source /till --secret -
    """
    given = {"preset": preset, "source": source, **_said(public_url, expected_every)}
    members = {**given, **_hidden(secret, setting), **members_of(set_)}

    shown = _put(receiver, members, makes=True)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(f"{receiver} takes what {preset} sends to /hooks/{receiver}, within a second also where servers run")


@commands.command()
def change(
    receiver: Id,
    preset: Annotated[str | None, typer.Option(help="Another one.", autocompletion=completing.presets)] = None,
    source: Annotated[str | None, typer.Option(help="Of its events from now on.")] = None,
    secret: Secret = None,
    setting: Setting = None,
    public_url: Url = None,
    expected_every: Every = None,
    set_: Set = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given and leave the rest; --secret and --setting say all of them. A retired one takes again.

    Exit code 1 if the application's code declares it.

    Example: tidings receivers change till --secret - < new-and-old-secret.txt
    """
    given = {name: value for name, value in (("preset", preset), ("source", source)) if value is not None}
    members = {**given, **_said(public_url, expected_every), **_hidden(secret, setting), **members_of(set_)}
    Output(as_json=as_json).fields(_put(receiver, members))


@commands.command()
def retire(receiver: Id, as_json: AsJson = False) -> None:
    """Have a receiver take nothing any more: its door answers 410. What came to it stays.

    Example: tidings receivers retire till
    """
    from tidings.app.receiving import receivers_of
    from tidings.faces.receivers import receiver_object

    async def work(opened: Opened) -> dict[str, Any]:
        return receiver_object(await receivers_of(opened).retire(receiver, who=WHO))

    shown = receipts.with_receivers(None, work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(
        f"{receiver} is retired: who sends to it is told so; `tidings receivers change {receiver}` opens it again"
    )


def _put(receiver: str, members: Mapping[str, Any], *, makes: bool = False) -> dict[str, Any]:
    from tidings.app.receiving import receivers_of
    from tidings.errors import CallerError
    from tidings.faces.receivers import receiver_object

    async def work(opened: Opened) -> dict[str, Any]:
        acts = receivers_of(opened)
        if not members and (await acts.show(receiver)).state != "retired":
            raise CallerError("say what is to be changed: --source, --secret, another option, or --set MEMBER=JSON")
        done = acts.put if makes else acts.change
        return receiver_object(await done(receiver, members, who=WHO))

    return receipts.with_receivers(None, work, makes=makes)


def _said(public_url: str | None, expected_every: float | None) -> dict[str, Any]:
    given = {"public_url": public_url, "expected_every_s": expected_every}
    return {name: value for name, value in given.items() if value is not None}


def _hidden(secrets: Sequence[str] | None, settings: Sequence[str] | None) -> dict[str, Any]:
    """Return the members that are secret, as far as they are given. CallerError."""
    from tidings.errors import CallerError

    found: dict[str, Any] = {}
    if secrets:
        found["secrets"] = secrets_of(secrets)
    if settings:
        pairs = [text.partition("=") for text in settings]
        if not all(equals for _, equals, _ in pairs):
            raise CallerError("--setting: write NAME=TEXT, such as webhook_id=WH-1")
        found["settings"] = {name: value for name, _, value in pairs}
    return found
