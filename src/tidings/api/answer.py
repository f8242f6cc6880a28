"""What goes back to the caller: a status, headers and bytes, sent without a framework's help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec

from tidings.events.codec import encode_json

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Pages(Protocol):
    """An application beside the API, mounted under `path`. It judges by itself whom it answers."""

    path: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


Header = tuple[bytes, bytes]
EXCHANGE = "tidings.exchange"
"""Where a scope holds its `Exchange`, if the server has such."""

JSON_TYPE: Header = (b"content-type", b"application/json")


class Exchange(Protocol):
    """A request and its answer, each in one piece: cheaper than the messages of ASGI, which still do all the rest."""

    def whole_body(self) -> bytes | None:
        """Return the body if all of it is here already, else None."""

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """Send a whole answer, its length among the headers, and return True; False if it must go by messages."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A whole response, itself an ASGI application. `headers`: lower-case names, without the length."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = self.headers
        if self.status != 304:
            headers = (*headers, (b"content-length", b"%d" % len(self.body)))
        exchange: Exchange | None = scope.pop(EXCHANGE, None)  # each holds the other, and would wait for the collector
        if exchange is not None and exchange.answer(self.status, headers, self.body):
            return
        with suppress(OSError):  # the caller went away, and nobody is left to be told
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self.body})


def json_answer(value: Any, *headers: Header, status: int = 200) -> Answer:
    """Return an answer whose body is the value as compact JSON."""
    return Answer(status, (JSON_TYPE, *headers), encode_json(value))
