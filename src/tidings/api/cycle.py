"""One request and its answer on our own connection: uvicorn's own, but for whole answers, which go out in one piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from tidings.api.answer import Header


class Cycle(RequestResponseCycle):
    """See `tidings.api.answer.Exchange`. Messages would cost two writes to the socket, and a wait for what is here.

    `on_last` is called instead of `on_response` when no other answer follows: uvicorn would close at once.
    """

    on_last: Callable[[], None]

    async def send(self, message: ASGISendEvent) -> None:
        if not self.keep_alive and message["type"] == "http.response.body" and not message.get("more_body"):
            self.keep_alive, self.on_response = True, self.on_last
        await super().send(message)

    def whole_body(self) -> bytes | None:
        if self.more_body or self.disconnected:
            return None
        self.message_event.clear()
        return bytes(self.body)

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        if self.response_started or self.disconnected or self.flow.write_paused or not self.keep_alive:
            return False
        lines = [STATUS_LINE[status]]
        for name, value in (*self.default_headers, *headers):
            if name == b"connection":
                return False
            lines += (name, b": ", value, b"\r\n")
        if self.scope["method"] == "HEAD":
            return False
        lines += (b"\r\n", body)
        self.response_started = self.response_complete = True
        self.transport.write(b"".join(lines))
        self.message_event.set()
        self.on_response()
        return True
