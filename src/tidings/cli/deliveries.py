"""`tidings deliveries`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli.output import Output
from tidings.cli.session import AsJson, Session
from tidings.events.timestamp import time_text

if TYPE_CHECKING:
    from tidings.app import Opened

commands = typer.Typer(help="Calls to the outside: made after their transaction, at least once, with a stable key.")


class State(StrEnum):
    pending = "pending"
    done = "done"
    dead = "dead"


@commands.command("list")
def list_(
    state: Annotated[State | None, typer.Option(help="Only those that wait, are done, or were given up.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the oldest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List deliveries, oldest first, with the last error of those that failed.

    Example: tidings deliveries list --state dead
    """
    from tidings.operations import deliveries

    async def work(opened: Opened) -> list[dict[str, Any]]:
        found = await deliveries.deliveries(opened.store, None if state is None else state.value, limit=limit)
        return [_row(each) for each in found]

    Output(as_json=as_json).rows(Session().look(work), empty="there are no such deliveries")


@commands.command()
def retry(
    key: Annotated[str, typer.Argument(help="As `tidings deliveries list` shows it.")], as_json: AsJson = False
) -> None:
    """Call a dead delivery again, with the same key and all its attempts. Exit code 1 if it is not dead.

    Example: tidings deliveries retry 019c1b7d-8c00-8abc-8def-0123456789ab
    """
    from tidings.operations import deliveries

    async def work(opened: Opened) -> None:
        await deliveries.retry(opened.store, key, opened.ports.clock)

    Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json({"key": key, "state": "pending"})
    output.say(f"{key} is due now; a running server calls it")


def _row(delivery: Mapping[str, Any]) -> dict[str, Any]:
    due = delivery["next_at"]
    return {**delivery, "next_at": None if due is None else time_text(due)}
