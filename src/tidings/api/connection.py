"""One HTTP connection: uvicorn's own, with a limit for what stands before a body and with problems for what is no HTTP.

The parser below has no such limit, and keeps a header that never ends in memory for ever.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidings.api.problems import MEDIA_TYPE, Problem, Refusal, answer_to

HEAD_BYTES_MAX = 65_536  # 16 KiB of attributes, each byte percent-encoded, and room for the rest


class _HeadTooLargeError(ValueError):
    pass


class Connection(HttpToolsProtocol):
    """Reads requests whose line and headers have `HEAD_BYTES_MAX` bytes at most."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._in_head = self._has_begun = False
        self._waited_for = 0  # bytes that came for this head after the chunk in which it began

    def on_message_begin(self) -> None:
        self._in_head = self._has_begun = True
        self._waited_for = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES_MAX:
            raise _HeadTooLargeError
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        self._has_begun = False
        super().data_received(data)
        if self._in_head and not self._has_begun and not self.transport.is_closing():
            self._waited_for += len(data)
            if self._waited_for > HEAD_BYTES_MAX:
                self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be a request, and close."""
        detail = f"this is no HTTP/1.1 request whose line and headers have at most {HEAD_BYTES_MAX:,} bytes"
        answer = answer_to(Refusal(Problem.MALFORMED_REQUEST, detail), instance="/")
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(answer.body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + answer.body)
        self.transport.close()
