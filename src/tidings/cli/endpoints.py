"""`tidings endpoints`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing, endpoint_acts
from tidings.cli.members import members_of, with_legacy_secret
from tidings.cli.output import Output
from tidings.cli.session import WHO, AsJson, Session

if TYPE_CHECKING:
    from tidings.app import Opened

commands = typer.Typer(help="Endpoints: where webhooks go, how each fares, and what is sent again.")

Id = Annotated[str, typer.Argument(help="As `tidings endpoints list` shows it.", autocompletion=completing.endpoints)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="MEMBER=JSON", help="Such as slots=8 or ordering=key; give it for each."),
]
Type = Annotated[list[str] | None, typer.Option(help="Only events of this type; give it for each.")]
Header = Annotated[list[str] | None, typer.Option(metavar="NAME: VALUE", help="Sent with each; give it for each.")]
LegacySecret = Annotated[
    str | None, typer.Option(metavar="TEXT|-", help="What `legacy` is signed with; -: a line of standard input.")
]

commands.command("test")(endpoint_acts.send_test)
for _act in (
    endpoint_acts.pause,
    endpoint_acts.resume,
    endpoint_acts.recover,
    endpoint_acts.replay,
    endpoint_acts.rotate,
    endpoint_acts.revoke,
):
    commands.command()(_act)


@commands.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, by id.")] = 100, as_json: AsJson = False
) -> None:
    """List endpoints with how each fares.

    Example: tidings endpoints list
    """
    from tidings.faces.endpoints import endpoint_object

    async def work(opened: Opened) -> list[dict[str, Any]]:
        return [endpoint_object(each) for each in await opened.endpoints.list(limit=limit)]

    found = Session().look(work)
    if not as_json:
        names = ("endpoint", "url", "state", "reason", "pending", "held", "dead", "last_success", "last_failure")
        found = [{name: each[name] for name in names} for each in found]
    Output(as_json=as_json).rows(found, empty="there are no endpoints: `tidings endpoints add URL` makes one")


@commands.command()
def show(endpoint: Id, as_json: AsJson = False) -> None:
    """Show one endpoint: configured how, how it fares, what waits. No secrets.

    Example: tidings endpoints show crm
    """
    from tidings.faces.endpoints import endpoint_object

    async def work(opened: Opened) -> dict[str, Any]:
        return endpoint_object(await opened.endpoints.show(endpoint))

    Output(as_json=as_json).fields(Session().look(work))


@commands.command()
def add(
    url: Annotated[str | None, typer.Argument(help="Where events are posted to, https://…; none with --poll.")] = None,
    id: Annotated[str | None, typer.Option(help="What it is called; one is made if left out.")] = None,
    type: Type = None,
    header: Header = None,
    set_: Set = None,
    legacy_secret: LegacySecret = None,
    kind: Annotated[str, typer.Option(help="Of its secret: hmac or ed25519.")] = "hmac",
    poll: Annotated[bool, typer.Option("--poll", help="Nothing is posted: its deliveries are fetched.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make an endpoint and show its secret, this once. It is sent what is appended from now on.

    Example: tidings endpoints add https://example.com/hooks --id crm --type order-placed --set ordering=key
    Example: tidings endpoints add --poll --id dev
    Example: tidings endpoints add https://example.com/hooks --set 'legacy={"preset": "github"}' --legacy-secret -
    """
    from tidings.faces.endpoints import made_object

    where = {"via": "poll"} if poll else {}
    members = {**where, **({} if url is None else {"url": url}), **_members(type, header, set_)}
    members = with_legacy_secret(members, legacy_secret)

    async def work(opened: Opened) -> dict[str, Any]:
        return made_object(await opened.endpoints.add(members, id=id, kind=_kind(kind), who=WHO))

    made = Session().look(work, makes=True)
    output = Output(as_json=as_json)
    if as_json:
        output.json(made)
        return
    told = f"who polls {made['endpoint']} fetches" if poll else f"{made['endpoint']} is sent"
    output.say(f"{told} what is appended from now on, signed with")
    output.say(made["public_key"] or made["signing_secret"])
    output.say("Give this to whoever receives it: it is not shown again.")


@commands.command()
def change(
    endpoint: Id,
    url: Annotated[str | None, typer.Option(help="Where events are posted to from now on.")] = None,
    type: Type = None,
    header: Header = None,
    set_: Set = None,
    legacy_secret: LegacySecret = None,
    as_json: AsJson = False,
) -> None:
    """Change the members that are given; `--set MEMBER=null` puts a default back.

    Example: tidings endpoints change crm --set rate=600
    """
    from tidings.errors import CallerError
    from tidings.faces.endpoints import endpoint_object

    members = {**({} if url is None else {"url": url}), **_members(type, header, set_)}
    members = with_legacy_secret(members, legacy_secret)
    if not members:
        raise CallerError("say what is to be changed: --url, --type, --header or --set MEMBER=JSON")

    async def work(opened: Opened) -> dict[str, Any]:
        return endpoint_object(await opened.endpoints.change(endpoint, members, who=WHO))

    Output(as_json=as_json).fields(Session().look(work))


@commands.command()
def remove(endpoint: Id, as_json: AsJson = False) -> None:
    """Remove an endpoint and cancel what is open to it.

    Example: tidings endpoints remove crm
    """

    async def work(opened: Opened) -> int:
        return await opened.endpoints.remove(endpoint, who=WHO)

    cancelled = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json({"endpoint": endpoint, "cancelled": cancelled})
    output.say(f"{endpoint} is removed; open deliveries cancelled: {cancelled:,}")


def _members(types: list[str] | None, headers: list[str] | None, given: list[str] | None) -> dict[str, Any]:
    """Return the members of a configuration that are said. CallerError for what is none."""
    from tidings.errors import CallerError

    found = members_of(given)
    if types:
        found["pattern"] = {"type": types}
    if headers:
        pairs = [text.partition(":") for text in headers]
        if not all(colon for _, colon, _ in pairs):
            raise CallerError("--header: write NAME: VALUE, such as 'x-team: sales'")
        found["headers"] = {name.strip(): value.strip() for name, _, value in pairs}
    return found


def _kind(text: str) -> Any:
    return endpoint_acts.kind_of(text)
