"""The bare ASGI functions beside our server: one that keeps what it is sent in the same group commit, one that only
answers, which shows how fast the callers are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from benchmarks.ours import open_log
from tidings.events.envelope import Envelope
from tidings.log.log import Log

Message = MutableMapping[str, Any]
Application = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

_ATTRIBUTES = {"datacontenttype": "application/json"}


class Sent(msgspec.Struct):
    """A structured CloudEvent, with its data as it came."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: msgspec.Raw


class Kept(msgspec.Struct):
    source: str
    id: str
    position: str
    outcome: str


class Answered(msgspec.Struct):
    results: list[Kept]


_decode = msgspec.json.Decoder(Sent).decode
_encode = msgspec.json.Encoder().encode


def group_commit(url: str) -> Application:
    """Return the least that takes an event in: it reads the body, appends to the log, answers, and checks nothing."""
    held: list[Log] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            async with open_log(url) as log:
                held.append(log)
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        event = _decode(await _body(receive))
        envelope = Envelope(
            id=event.id,
            source=event.source,
            type=event.type,
            subject=event.subject,
            time=event.time,
            attributes=_ATTRIBUTES,
            data=bytes(event.data),
        )
        receipt = await held[0].append((envelope,))
        token = f"bare-{receipt.positions[0]}"
        kept = Kept(event.source, event.id, token, receipt.outcome)
        await _answer(send, 201 if receipt.outcome == "appended" else 200, _encode(Answered([kept])), token.encode())

    return application


def only_answers(url: str) -> Application:
    """Return what reads the body and answers as much as the others do, and keeps nothing."""
    body = _encode(Answered([Kept("//benchmarks/bookmarks", "0" * 36, "k3f9a1c2-1000000", "appended")]))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await _body(receive)
        await _answer(send, 201, body, b"k3f9a1c2-1000000")

    return application


async def _body(receive: Any) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


async def _answer(send: Any, status: int, body: bytes, token: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"tidings-position", token),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
