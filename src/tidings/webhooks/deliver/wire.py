"""One connection that is dialled, and what is said on it: a request at a time, and what comes in answer to it.

What comes is parsed by the parser of aiohttp and uvicorn (llhttp); nothing here knows what a request is about.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import httptools

from tidings.webhooks.deliver.answer import FailureKind

HEADERS_MAX = 128
_SWITCHING = 101
_LENGTHS = (b"content-length", b"transfer-encoding")

RawHeaders = list[tuple[bytes, bytes]]


class Looked(Protocol):
    """How much of an answer is looked at, in bytes."""

    @property
    def head_bytes(self) -> int: ...

    @property
    def read_bytes(self) -> int: ...


class NoAnswer(Exception):
    """What came is no answer of HTTP, or its head is too long. The text says which of them, for people."""


@dataclass(slots=True)
class Heard:
    """An answer. `is_all`: the body is whole. `cut`: why it ended early, None if it did not, or had its fill."""

    status: int
    headers: RawHeaders
    body: bytes
    is_all: bool
    cut: FailureKind | None = None


class Wire(asyncio.Protocol):
    """Speaks over a transport that is open already. `peer`: whom it leads to, as text.

    The status decides: once there is a head, whatever happens to the body only cuts it off.
    """

    def __init__(self, transport: asyncio.Transport, peer: str | None, limits: Looked) -> None:
        self.peer = peer
        self._transport = transport
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(  # as aiohttp's: receivers are many, and not all of them of this century
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._ended: asyncio.Future[None] | None = None
        self._is_lost = self._is_spoilt = False
        self._fed = self._status = 0
        self._headers: RawHeaders = []
        self._body = bytearray()
        self._is_complete = self._is_kept = False

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent: all of the last answer came, and nothing beyond it."""
        return not (self._is_spoilt or self._is_lost or self._transport.is_closing())

    async def exchange(self, request: bytes, deadline: float) -> Heard:
        """Send a request and return the answer, or as much of it as is looked at.

        `deadline`: by the clock of the event loop, in seconds. TimeoutError, NoAnswer or OSError if there is none.
        """
        if not self.is_usable:
            raise ConnectionResetError
        self._fed = self._status = 0
        self._headers, self._body = [], bytearray()
        self._is_complete = self._is_kept = False
        self._ended = self._loop.create_future()
        late = self._loop.call_at(deadline, self._end, TimeoutError())
        cut: FailureKind | None = None
        try:
            self._transport.write(request)
            await self._ended
        except Exception as error:
            if not self._status:
                raise
            cut = "timeout" if isinstance(error, TimeoutError) else "protocol"
        finally:
            late.cancel()
            self._ended = None
            if not self._is_kept or self._is_spoilt:  # or it was cancelled half-way
                self._transport.abort()  # what is still to be sent is for nobody
                self.close()
        return Heard(self._status, self._headers, bytes(self._body), self._is_complete, cut)

    def close(self) -> None:
        """Say nothing more on it."""
        self._is_spoilt = True
        self._transport.close()

    def _end(self, error: Exception | None = None) -> None:
        ended = self._ended
        if ended is None or ended.done():
            self._is_spoilt = True  # nobody asked for what came
        elif error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    # what the transport tells
    def data_received(self, data: bytes) -> None:
        if self._ended is None or self._ended.done():
            self.close()
            return
        if not self._status:
            self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_spoilt = True
            self._end()
            return
        except httptools.HttpParserError as error:
            self._end(error.__context__ if isinstance(error.__context__, NoAnswer) else NoAnswer(_not_http(error)))
            return
        if self._is_complete or len(self._body) >= self._limits.read_bytes:
            self._end()
        elif not self._status and self._fed > self._limits.head_bytes:
            self._end(self._too_long())

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        if self._status and error is None and not any(name.lower() in _LENGTHS for name, _ in self._headers):
            self._is_complete = True  # its end is the end of the body
            self._end()
        else:
            self._end(error or ConnectionResetError())

    # what the parser tells
    def on_message_begin(self) -> None:
        self._is_spoilt |= self._is_complete  # what comes after the answer is nobody's

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_complete:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._is_complete or (100 <= status < 200 and status != _SWITCHING):
            return
        if len(self._headers) > HEADERS_MAX:
            raise NoAnswer(f"the head of the answer has more than {HEADERS_MAX} headers")
        if sum(len(name) + len(value) + 4 for name, value in self._headers) > self._limits.head_bytes:
            raise self._too_long()
        self._status = status

    def on_body(self, data: bytes) -> None:
        if not self._is_complete:
            room = self._limits.read_bytes - len(self._body)
            self._body += data[:room]
            self._is_spoilt |= len(data) > room

    def on_message_complete(self) -> None:
        if not self._status:  # an answer meanwhile, after which the one comes that counts
            self._headers, self._fed = [], 0
        elif not self._is_complete:
            self._is_complete = not self._is_spoilt
            self._is_kept = self._parser.should_keep_alive()  # which it knows until the next message

    def _too_long(self) -> NoAnswer:
        return NoAnswer(f"the head of the answer has more than {self._limits.head_bytes:,} bytes")


def _not_http(error: Exception) -> str:
    return f"what came is no answer of HTTP: {error}"
