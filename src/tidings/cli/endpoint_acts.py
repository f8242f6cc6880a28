"""What `tidings endpoints` does with an endpoint: tests, pauses, resumes, signs anew, and sends again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing
from tidings.cli.output import Output
from tidings.cli.session import WHO, AsJson, Session, tokens_of

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.store.endpoint_deliveries import Range
    from tidings.webhooks.deliver.secrets import Kind

Id = Annotated[str, typer.Argument(help="As `tidings endpoints list` shows it.", autocompletion=completing.endpoints)]
After = Annotated[str | None, typer.Option(metavar="TOKEN", help="Only behind this position; from the first one.")]
To = Annotated[str | None, typer.Option(metavar="TOKEN", help="Only up to this position; else to the last one.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")]


def send_test(endpoint: Id, as_json: AsJson = False) -> None:
    """Send one event marked as a test, as any other is sent. Exit code 1 if it is paused or disabled.

    Example: tidings endpoints test crm
    """
    from tidings.faces.endpoints import tested_object

    async def work(opened: Opened) -> tuple[dict[str, Any], bool]:
        is_polled = await _is_polled(opened, endpoint)
        return tested_object(endpoint, await opened.endpoints.test(endpoint, who=WHO)), is_polled

    sent, is_polled = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(sent)
    then = f"who polls {endpoint} fetches it" if is_polled else "a running server sends it"
    output.say(f"{then}: `tidings deliveries show {sent['delivery']}` says what came of it")


def pause(
    endpoint: Id,
    reason: Annotated[str, typer.Option(help="Why, for whoever finds it paused.")] = "operator",
    disable: Annotated[bool, typer.Option("--disable", help="Say that it is disabled, not only paused.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold what is open and what comes, until it is resumed. Nothing is lost; twice is once.

    Example: tidings endpoints pause crm --reason "they move"
    """
    from tidings.faces.endpoints import endpoint_object

    async def work(opened: Opened) -> dict[str, Any]:
        state: Any = "disabled" if disable else "paused"
        return endpoint_object(await opened.endpoints.pause(endpoint, reason=reason, state=state, who=WHO))

    shown = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(f"{endpoint} is {shown['state']}: what is open and what comes is held")


def resume(endpoint: Id, as_json: AsJson = False) -> None:
    """Let a paused or disabled endpoint go on, in order. Exit code 1 if it is neither.

    Example: tidings endpoints resume crm
    """
    from tidings.faces.endpoints import endpoint_object

    async def work(opened: Opened) -> dict[str, Any]:
        return endpoint_object(await opened.endpoints.resume(endpoint, who=WHO))

    shown = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    then = f"there for who polls {endpoint}" if shown["via"] == "poll" else "sent in order"
    output.say(f"{endpoint} is {shown['state']}: what was held is {then}")


def recover(endpoint: Id, after: After = None, to: To = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Have what is dead made again, each with a full budget of attempts. What was stopped goes on when repeated.

    Example: tidings endpoints recover crm --dry-run
    """
    from tidings.faces.endpoints import again_object

    async def work(opened: Opened) -> tuple[dict[str, Any], bool]:
        within = await _range(opened, after, to)
        with Output(as_json=as_json).progress() as progress:
            done = await opened.endpoints.recover(endpoint, within, dry_run=dry_run, who=WHO, progress=progress)
        return again_object(await tokens_of(opened), done), await _is_polled(opened, endpoint)

    _say_again(*Session().look(work), as_json=as_json)


def replay(
    endpoint: Id,
    after: After = None,
    to: To = None,
    type: Annotated[list[str] | None, typer.Option(help="Only events of this type; give it for each.")] = None,
    missing_only: Annotated[bool, typer.Option("--missing-only", help="Not what was delivered to it.")] = False,
    new_id: Annotated[bool, typer.Option("--new-id", help="Have receivers take them for new ones.")] = False,
    run: Annotated[str | None, typer.Option(help="Go on with this run, which was stopped.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send entries of the log again, as far as its pattern takes them.

    Example: tidings endpoints replay crm --type order-placed --missing-only
    """
    from tidings.events.filter import Filter
    from tidings.faces.endpoints import again_object
    from tidings.operations.endpoint_again import Wanted

    async def work(opened: Opened) -> tuple[dict[str, Any], bool]:
        within = await _range(opened, after, to)
        with Output(as_json=as_json).progress() as progress:
            wanted = Wanted(
                within=within,
                where=Filter(types=frozenset(type) if type else None),
                missing_only=missing_only,
                new_id=new_id,
                run=run,
                dry_run=dry_run,
                progress=progress,
            )
            done = await opened.endpoints.replay(endpoint, wanted, who=WHO)
        return again_object(await tokens_of(opened), done), await _is_polled(opened, endpoint)

    _say_again(*Session().look(work), as_json=as_json)


def rotate(
    endpoint: Id,
    grace: Annotated[int, typer.Option(help="For how many seconds the one before signs beside it.")] = 86_400,
    kind: Annotated[str | None, typer.Option(help="hmac or ed25519; if left out, as the one before.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have a new secret sign and show it, this once. Exit code 1 if too many are alive.

    Example: tidings endpoints rotate crm --grace 3600
    """
    from tidings.faces.endpoints import new_secret_object

    async def work(opened: Opened) -> dict[str, Any]:
        made = await opened.endpoints.rotate(
            endpoint, kind=None if kind is None else kind_of(kind), grace_s=grace, who=WHO
        )
        return new_secret_object(made)

    made = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(made)
        return
    output.say(made["public_key"] or made["signing_secret"])
    output.say(f"{made['secret']} signs from now on. Give this to whoever receives it: it is not shown again.")


def revoke(
    endpoint: Id,
    secret: Annotated[str, typer.Argument(help="Its id, as `tidings endpoints show` says it.")],
    as_json: AsJson = False,
) -> None:
    """End one of the older secrets now. Exit code 1 if it is the newest.

    Example: tidings endpoints revoke crm s1
    """
    from tidings.faces.endpoints import endpoint_object

    async def work(opened: Opened) -> dict[str, Any]:
        return endpoint_object(await opened.endpoints.revoke(endpoint, secret, who=WHO))

    shown = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(f"{secret} signs no more")


def kind_of(text: str) -> Kind:
    """Return the kind of a secret. CallerError for what is none."""
    from tidings.errors import CallerError

    if text == "hmac":
        return "hmac"
    if text == "ed25519":
        return "ed25519"
    raise CallerError(f"--kind: {text[:40]!r} is none; there is hmac and ed25519")


async def _range(opened: Opened, after: str | None, to: str | None) -> Range:
    from tidings.errors import CallerError
    from tidings.store.endpoint_deliveries import Range

    tokens, head = await tokens_of(opened), (await opened.log.head()).position
    begin = 0 if after is None else tokens.read(after, name="--after")
    end = head if to is None else min(tokens.read(to, name="--to"), head)
    if to is not None and begin > end:
        raise CallerError("--to lies before --after: no position is in between")
    return Range(after=begin, to=end)


async def _is_polled(opened: Opened, endpoint: str) -> bool:
    return bool((await opened.endpoints.show(endpoint)).members["via"] == "poll")


def _say_again(done: dict[str, Any], is_polled: bool, *, as_json: bool) -> None:
    output = Output(as_json=as_json)
    if as_json:
        output.json(done)
    elif done["dry_run"]:
        output.say(f"{done['deliveries']:,} would be {'due' if is_polled else 'sent'} again; nothing was changed")
    else:
        run = f" in the run {done['run']}" if done["run"] else ""
        then = f"who polls {done['endpoint']} fetches them" if is_polled else "a running server sends them"
        output.say(f"{done['deliveries']:,} are due now{run}; {then}")
