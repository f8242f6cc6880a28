"""How `tidings dead` is told which dead letters are meant."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli import completing

if TYPE_CHECKING:
    from tidings.operations import dead


class State(StrEnum):
    retrying = "retrying"
    dead = "dead"


class Kind(StrEnum):
    handler = "handler"
    delivery = "delivery"
    receipt = "receipt"


Consumer = Annotated[
    str,
    typer.Argument(
        metavar="CONSUMER|NAME",
        help="Whose handler or fold failed; or, without SUBJECT, the name of any dead letter.",
        autocompletion=completing.consumers,
    ),
]
MaybeConsumer = Annotated[
    str | None,
    typer.Argument(
        metavar="CONSUMER|NAME",
        help="Whose handler or fold failed; or, without SUBJECT and --all, the name of any dead letter.",
        autocompletion=completing.consumers,
    ),
]
Every = Annotated[bool, typer.Option("--all", help="All dead letters, or all that CONSUMER and the options say.")]
Subject = Annotated[str | None, typer.Argument(help="As `tidings dead list` shows it.")]
OfConsumer = Annotated[
    str | None, typer.Option("--consumer", help="Only of this consumer.", autocompletion=completing.consumers)
]
OfKind = Annotated[Kind | None, typer.Option("--kind", help="Only of this kind.")]
ToEndpoint = Annotated[
    str | None,
    typer.Option("--endpoint", help="Only deliveries to this endpoint.", autocompletion=completing.endpoints),
]
OfService = Annotated[str | None, typer.Option("--service", help="Only deliveries to functions of this service.")]
OfReceiver = Annotated[str | None, typer.Option("--receiver", help="Only webhooks that came to this receiver.")]
InState = Annotated[State | None, typer.Option("--state", help="Only those that are tried again, or that are not.")]
ForReason = Annotated[str | None, typer.Option("--reason", help="Only for this reason, such as handler-failed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count them, and change nothing.")]


def which_of(
    consumer: str | None, state: State | None, reason: str | None, *, kind: Kind | None, **whose: str | None
) -> dead.Which:
    """Return which ones these options say."""
    from tidings.operations import dead

    return dead.Which(
        kind=None if kind is None else kind.value,
        consumer=consumer,
        state=None if state is None else state.value,
        reason=reason,
        **whose,
    )
