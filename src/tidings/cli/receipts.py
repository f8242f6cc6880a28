"""What `tidings receivers` shows of what came to receivers: a list of it, and one whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tidings.cli import completing
from tidings.cli.output import Output
from tidings.cli.session import AppName, AsJson, Session
from tidings.cli.times import time_of

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.store.receipts import Receipt, Stored

T = TypeVar("T")
BODY_SHOWN = 4_096


class Outcome(StrEnum):
    stored = "stored"
    failed = "failed"
    conflict = "conflict"
    dropped = "dropped"


Id = Annotated[str, typer.Argument(help="As `tidings receivers list` shows it.", autocompletion=completing.receivers)]
Number = Annotated[int, typer.Argument(min=1, help="As `tidings receivers receipts` shows it.")]


def receipts(
    receiver: Annotated[
        str | None, typer.Argument(help="Only those of this receiver.", autocompletion=completing.receivers)
    ] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only those of this outcome.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Only those that came then or later, RFC 3339.")] = None,
    to: Annotated[str | None, typer.Option(help="Only those that came before that, RFC 3339.")] = None,
    before: Annotated[int | None, typer.Option(min=1, help="Only those with a lower number: go on behind it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the newest first.")] = 100,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """List what came to receivers, newest first, with the events that it became, or why it is none.

    Example: tidings receivers receipts till --outcome failed
    Example: tidings receivers receipts --from 2026-05-04T10:00:00Z
    """
    from tidings.app.receiving import receivers_of
    from tidings.faces.receivers import receipt_object

    since, until = time_of("--from", from_), time_of("--to", to)

    async def work(opened: Opened) -> list[dict[str, Any]]:
        word: Any = None if outcome is None else outcome.value
        found = await opened.store.receipts(
            receiver, outcome=word, since=since, until=until, before=before, limit=limit
        )
        if not found and receiver is not None and not await opened.store.receipts(receiver, limit=1):
            await receivers_of(opened).show(receiver)
        return [receipt_object(each) for each in found]

    found = with_receivers(app, work)
    if not as_json:
        found = [_row(each) for each in found]
    Output(as_json=as_json).rows(found, empty="there are no such receipts")


def _row(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a line of the list shows of a receipt."""
    events = ", ".join(f"{each['type']} {each['id']}" for each in found["events"])
    names = ("receipt", "receiver", "received", "outcome", "seen", "bytes")
    return {**{name: found[name] for name in names}, "events": found["error"] or events}


def receipt(
    receiver: Id,
    number: Number,
    body: Annotated[bool, typer.Option("--body", help="Write its bytes as they came, and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one receipt: its request's headers, credentials masked, its body, and what it became.


    Example: tidings receivers receipt till 7
    Example: tidings receivers receipt till 7 --body > webhook.json
    """
    from tidings.app.receiving import receivers_of
    from tidings.errors import NotFoundError
    from tidings.faces.receivers import whole_receipt_object

    async def work(opened: Opened) -> tuple[Receipt, Stored | None]:
        return await receivers_of(opened).receipt(receiver, number), await opened.store.stored_receipt(number)

    try:
        found, stored = Session().look(work)
    except NotFoundError as error:
        if error.what != "receiver":
            raise
        raise error.hinted("one that only code declares has no receipts") from None
    if body:
        _write(number, stored)
        return
    output = Output(as_json=as_json)
    shown = whole_receipt_object(found, stored)
    if as_json:
        output.json(shown)
        return
    headers = shown.pop("headers")
    output.fields({name: value for name, value in shown.items() if value is not None})
    for header in headers or ():
        output.say(f"{header['name']}: {header['value']}")
    output.say("\n" + ("its body is not kept any more" if stored is None else _text(stored.body)))


def _text(body: bytes) -> str:
    """Return a body as text, cut if it is long."""
    left = len(body) - BODY_SHOWN
    rest = f"\n… and {left:,} bytes more: --body writes all of it" if left > 0 else ""
    return body[:BODY_SHOWN].decode("utf-8", "replace") + rest


def _write(number: int, stored: Stored | None) -> None:
    import sys

    from tidings.errors import RefusedError

    if stored is None:
        raise RefusedError(f"the body of the receipt {number} is not kept any more")
    sys.stdout.buffer.write(stored.body)


def with_receivers(app: str | None, work: Callable[[Opened], Awaitable[T]], *, makes: bool = False) -> T:
    """Run `work` with the receivers of the application, if one is named; see `Session.with_receivers`.

    NotFoundError of a receiver says how to name it, where none is.
    """
    from tidings.errors import NotFoundError

    session = Session(app)
    try:
        return session.with_receivers(work, makes=makes)
    except NotFoundError as error:
        if session.services is not None or error.what != "receiver":
            raise
        raise error.hinted("for one that code declares give --app or set TIDINGS_APP") from None
