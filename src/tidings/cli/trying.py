"""`tidings receivers try` and `sign`: a request is judged and translated, or signed, and nothing is kept."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing, receipts
from tidings.cli.output import Output
from tidings.cli.session import AppName, AsJson
from tidings.cli.times import time_of

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.operations.receiver_trial import Request
    from tidings.webhooks.intake.receiver import Receiver

_REQUEST_LINE = re.compile(rb"(GET|POST|OPTIONS) (\S+) HTTP/[0-9.]+\r?\n")
_END = re.compile(rb"\r?\n\r?\n")

Id = Annotated[str, typer.Argument(help="As `tidings receivers list` shows it.", autocompletion=completing.receivers)]
File = Annotated[
    str, typer.Argument(metavar="FILE", help="A request as it came, head and body, or a body alone; -: standard input.")
]
Header = Annotated[
    list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE", help="Of a body alone; give it for each.")
]
Query = Annotated[str, typer.Option(help="Of a body alone: what stood behind the ? of the URL.")]
DeliveryId = Annotated[
    str | None, typer.Option("--id", help="The webhook's id, where it is a header; a new one if left out.")
]


def try_(
    receiver: Id,
    file: File,
    header: Header = None,
    query: Query = "",
    sign: Annotated[bool, typer.Option("--sign", help="Sign it first, as its provider would.")] = False,
    id: DeliveryId = None,
    at: Annotated[str | None, typer.Option(help="Judge it as if it came then, RFC 3339; now if left out.")] = None,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Say what a request would become, and why it is refused or no events. Nothing is kept, nothing is sent.

    It is judged as the receiver's door does, and translated by the code at hand. Exit code 1 if it would not be taken.

    Example: tidings receivers try till webhook.json -H 'stripe-signature: t=1700000000,v1=5f'
    Example: tidings receivers try till order-paid.json --sign
    """
    from tidings.app.receiving import trying_of
    from tidings.cli.exits import NO
    from tidings.faces.receivers import trial_object
    from tidings.operations.receiver_trial import TAKEN, signed

    then, given = time_of("--at", at), read_request(file, header or (), query)

    async def work(opened: Opened) -> dict[str, Any]:
        found = await _find(opened, receiver)
        request, now = _typed(given, found), opened.ports.clock.now_us() if then is None else then
        if sign:
            request = signed(found, request, id=id or _new_id(opened), at=now)
        return trial_object(await trying_of(opened).look(found, request, at=now))

    tried = receipts.with_receivers(app, work)
    output = Output(as_json=as_json)
    if as_json:
        output.json(tried)
    else:
        _say(output, tried)
    if tried["outcome"] not in TAKEN:
        raise typer.Exit(NO)


def sign(
    receiver: Id,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The body; -: standard input.")],
    header: Header = None,
    id: DeliveryId = None,
    at: Annotated[str | None, typer.Option(help="As if it was then, RFC 3339; now if left out.")] = None,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Print the headers with which a body comes from the receiver's provider, as `curl -H @FILE` reads them.

    They are signed with the receiver's own secrets. Where the type is a header it follows from the body, or --header
    says it. Exit code 1 if the signature does not stand in headers alone.

    Example: tidings receivers sign till order-paid.json > headers.txt
    Example: tidings receivers sign mall order.json -H 'x-shopify-topic: orders/create' > headers.txt
    """
    from tidings.errors import RefusedError
    from tidings.operations.receiver_trial import signed

    then, given = time_of("--at", at), read_request(file, header or (), "")

    async def work(opened: Opened) -> Request:
        found = await _find(opened, receiver)
        now = opened.ports.clock.now_us() if then is None else then
        return signed(found, _typed(given, found), id=id or _new_id(opened), at=now)

    done = receipts.with_receivers(app, work)
    if done.query or done.body != given.body:
        raise RefusedError(f"what comes to {receiver} is not signed in headers alone: `tidings receivers try --sign`")
    output = Output(as_json=as_json)
    headers = [{"name": name.decode(), "value": value.decode()} for name, value in done.headers]
    if as_json:
        output.json(headers)
    for each in headers:
        output.say(f"{each['name']}: {each['value']}")


async def _find(opened: Opened, id: str) -> Receiver:
    from tidings.store.receipts import no_receiver

    found = await opened.roster.find(id)
    if found is None:
        raise no_receiver(id, [each.id for each in await opened.roster.all()])
    return found


def _new_id(opened: Opened) -> str:
    """Return an id that no other webhook has: one that came before is a repeat."""
    from tidings.events.identity import uuid7

    return uuid7(opened.ports.clock.now_us(), opened.ports.random.getrandbits(74))


def _typed(given: Request, receiver: Receiver) -> Request:
    """Return it with the media type that its provider sends, if it is a body alone and says none."""
    from dataclasses import replace

    if given.headers and any(name.lower() == b"content-type" for name, _ in given.headers):
        return given
    named = (b"content-type", receiver.preset.media_types[0].encode())
    return replace(given, headers=(named, *given.headers))


def read_request(file: str, headers: Sequence[str], query: str) -> Request:
    """Return the request that a file holds, or whose body it holds. CallerError; OSError."""
    from tidings.errors import CallerError
    from tidings.operations.receiver_trial import Request

    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    line = _REQUEST_LINE.match(data)
    if line is None:
        return Request(query=query.removeprefix("?").encode(), headers=_headers(headers), body=data)
    if headers or query:
        raise CallerError(f"{file} holds a whole request: give --header and --query with a body alone")
    end = _END.search(data, line.end() - 1)
    head, body = (data[line.end() :], b"") if end is None else (data[line.end() : end.start()], data[end.end() :])
    said = _headers([each.decode("latin-1") for each in head.splitlines()])
    return Request(method=line[1].decode(), query=line[2].partition(b"?")[2], headers=said, body=body)


def _headers(lines: Sequence[str]) -> tuple[tuple[bytes, bytes], ...]:
    from tidings.errors import CallerError

    pairs = [line.partition(":") for line in lines if line]
    for name, colon, _ in pairs:
        if not colon or not name.strip():
            raise CallerError(f"{name[:80]!r} is no header: write NAME: VALUE")
    return tuple((_bytes(name.strip()), _bytes(value.strip())) for name, _, value in pairs)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1") if text.isascii() else text.encode()


def _say(output: Output, tried: dict[str, Any]) -> None:
    fields = {name: value for name, value in tried.items() if value is not None and name != "events"}
    output.fields(fields)
    for event in tried["events"]:
        output.say(f"\n{bytes(event).decode()}")
