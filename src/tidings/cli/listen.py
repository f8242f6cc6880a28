"""`tidings listen`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing
from tidings.cli.output import Output
from tidings.cli.session import AsJson, Session

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.operations.relaying import Relayed


def listen(
    endpoint: Annotated[
        str,
        typer.Argument(help="One that is polled: `tidings endpoints add --poll`.", autocompletion=completing.endpoints),
    ],
    to: Annotated[str, typer.Option(help="Where its deliveries are posted to, such as http://localhost:3000/hook.")],
    as_json: AsJson = False,
) -> None:
    """Post an endpoint's deliveries to a URL near by, signed as a push would be: one line for each, until Ctrl-C.

    2xx settles a delivery; whatever else is answered has it tried again by the schedule, as any other. Exit code 1 if
    the endpoint is paused, or is one that is posted to.

    Example: tidings listen dev --to http://localhost:3000/hook
    """
    output = Output(as_json=as_json)

    def told(relayed: Relayed) -> None:
        if as_json:
            output.json(_object(relayed))
        output.say(_line(_object(relayed)))

    async def work(opened: Opened) -> None:
        await _relay(opened, endpoint, to, told, say=output.say)

    Session().look(work)
    output.say("stopped: what was not answered is due still")


async def _relay(opened: Opened, endpoint: str, url: str, told: Any, *, say: Any) -> None:
    import asyncio
    import signal
    from ipaddress import ip_network

    from tidings.errors import CallerError
    from tidings.operations.relaying import Relaying
    from tidings.webhooks.deliver.addresses import Allowed
    from tidings.webhooks.deliver.sending import Sender
    from tidings.webhooks.deliver.target import fault_of_form

    # Whoever types a URL here means it, wherever it leads.
    anywhere = Allowed(subnets=(ip_network("0.0.0.0/0"), ip_network("::/0")), http=True)
    why = fault_of_form(url, anywhere)
    if why is not None:
        raise CallerError(f"--to: {why}")
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stopping.set)
    clock = opened.ports.clock
    async with Sender(clock, anywhere) as sender:
        relaying = Relaying(polling=opened.polling, sender=sender, url=url, sleep=clock.sleep)
        await opened.polling.check(endpoint)
        say(f"what is due to {endpoint} is posted to {url}; Ctrl-C ends it")
        await relaying.run(endpoint, told, stopping)


def _object(relayed: Relayed) -> dict[str, Any]:
    from tidings.webhooks.deliver.answer import Answer

    polled, seen = relayed.polled, relayed.seen
    return {
        "delivery": polled.claimed.delivery.key,
        "webhook_id": polled.message,
        "type": polled.entry.envelope.type,
        "attempt": polled.claimed.attempt,
        "status": seen.status if isinstance(seen, Answer) else None,
        "duration_ms": round(seen.duration_us / 1_000, 3),
        "outcome": relayed.result.outcome,
        "state": relayed.result.state,
        "error": relayed.result.error,
    }


def _line(said: dict[str, Any]) -> str:
    what = {"delivered": "delivered", "due": "tried again later", "dead": "given up"}.get(said["state"], said["state"])
    why = "" if said["error"] is None else f": {said['error']}"
    status = said["status"] or said["outcome"]
    return f"{status}  {said['duration_ms']:,.0f} ms  {said['type']}  {said['delivery']}  {what}{why}"
