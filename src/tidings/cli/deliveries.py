"""`tidings deliveries`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing
from tidings.cli.output import Output
from tidings.cli.session import WHO, AsJson, Session
from tidings.cli.times import time_of

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.operations import deliveries

commands = typer.Typer(help="Calls to the outside: made after their transaction, at least once, with a stable key.")


class State(StrEnum):
    due = "due"
    leased = "leased"
    behind = "behind"
    held = "held"
    delivered = "delivered"
    dead = "dead"
    expired = "expired"
    cancelled = "cancelled"


Key = Annotated[str, typer.Argument(help="As `tidings deliveries list` shows it.")]


@commands.command("list")
def list_(
    state: Annotated[State | None, typer.Option(help="Only those that are so.")] = None,
    service: Annotated[str | None, typer.Option(help="Only of this service.")] = None,
    function: Annotated[str | None, typer.Option(help="Only of functions with this name.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Only those to this endpoint.", autocompletion=completing.endpoints)
    ] = None,
    type: Annotated[str | None, typer.Option(help="Only those to endpoints of events of this type.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only those to endpoints of events about this.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those that failed last for this reason.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Only those intended then or later, RFC 3339.")] = None,
    to: Annotated[str | None, typer.Option(help="Only those intended before that, RFC 3339.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the oldest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List deliveries, oldest first, with the last error of those that failed.

    Exit code 2 for a service or an endpoint that there is not, and with the application at hand for a function.

    Example: tidings deliveries list --endpoint crm --state dead
    Example: tidings deliveries list --state dead --from 2026-05-04T10:00:00Z
    """
    from tidings.faces.deliveries import delivery_object
    from tidings.operations import deliveries
    from tidings.store.deliveries import DeliveryFilter

    session = Session()
    where = DeliveryFilter(
        service=service,
        function=function,
        endpoint=endpoint,
        type=type,
        subject=subject,
        reason=reason,
        since=time_of("--from", from_),
        until=time_of("--to", to),
    )

    async def work(opened: Opened) -> list[dict[str, Any]]:
        found = await deliveries.deliveries(
            opened.store, session.services, None if state is None else state.value, where=where, limit=limit
        )
        return [delivery_object(each) for each in found]

    Output(as_json=as_json).rows(session.look(work), empty="there are no such deliveries")


@commands.command()
def show(key: Key, as_json: AsJson = False) -> None:
    """Show one delivery with each attempt at it that is still kept.

    Example: tidings deliveries show 019c1b7d-8c00-8abc-8def-0123456789ab
    """
    from tidings.faces.deliveries import attempt_objects, delivery_object
    from tidings.operations import deliveries

    async def work(opened: Opened) -> deliveries.Tried:
        return await deliveries.show(opened.store, key)

    found = Session().look(work)
    output = Output(as_json=as_json)
    shown, attempts = delivery_object(found.delivery), attempt_objects(found.attempts)
    if as_json:
        output.json({"delivery": shown, "attempts": attempts})
        return
    output.fields(shown)
    output.say("")
    output.rows(attempts, empty="no attempt at it is kept")


@commands.command()
def retry(key: Key, as_json: AsJson = False) -> None:
    """Call a delivery now, with the same key: one that is due, or a dead one, which has all its attempts anew.

    Exit code 1 if it is in another state.

    Example: tidings deliveries retry 019c1b7d-8c00-8abc-8def-0123456789ab
    """
    from tidings.faces.deliveries import delivery_object
    from tidings.operations import deliveries

    async def work(opened: Opened) -> dict[str, Any]:
        await deliveries.retry(opened.store, key, opened.ports.clock, who=WHO)
        return delivery_object((await deliveries.show(opened.store, key)).delivery)

    shown = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(f"{key} is due now; a running server calls it")


@commands.command()
def cancel(
    key: Key,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Close a delivery that is open or dead: it is called no more. Twice is once. Exit code 1 if it is delivered.

    A call that is under way is not interrupted; what came of it is not written down.

    Example: tidings deliveries cancel 019c1b7d-8c00-8abc-8def-0123456789ab --reason "the customer cancelled"
    """
    from tidings.faces.deliveries import delivery_object
    from tidings.operations import deliveries

    async def work(opened: Opened) -> dict[str, Any]:
        await deliveries.cancel(opened.store, key, opened.ports.clock, who=WHO, reason=reason)
        return delivery_object((await deliveries.show(opened.store, key)).delivery)

    shown = Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(shown)
    output.say(f"{key} is cancelled: it is called no more")
