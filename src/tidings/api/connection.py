"""One HTTP connection: uvicorn's own, where what it lets pass is bounded, and what it drops is refused or kept.

Its parser keeps a header that never ends for ever, gives up the body of a request that offers another protocol, its
reader of targets cuts off what follows a `#`, and it closes on callers that still send, who then never see the answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, NoReturn, cast
from urllib.parse import unquote

import httptools
from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidings.api.answer import EXCHANGE
from tidings.api.cycle import Cycle
from tidings.api.host import check_host
from tidings.api.problems import Problem, Refusal, answer_to
from tidings.api.unreadable import HEAD_BYTES_MAX, head_too_large, refusal_of, unknown_method

HEAD_SECONDS = 10
LINGER_SECONDS = 10
LINGER_BYTES = 16 * 1_048_576
"""For how long, and how much, is read and dropped behind an answer that came before the end of its request."""
PIPELINED_MAX = 64
"""Requests that may wait on one connection for the answers before theirs: each takes a hundred times its own size."""
CONNECTIONS_MAX = 4_096
_SMALL = HEAD_BYTES_MAX // 2

_PLAIN_TARGET = re.compile(rb"/[!-~]*")
_AUTHORITY = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


class Connection(HttpToolsProtocol):
    """Reads requests whose line and headers have `HEAD_BYTES_MAX` bytes at most, and come within `HEAD_SECONDS`.

    Whoever serves it calls `tick` every second. `most`: connections there may be at once. `on_full` is told of whoever
    is refused for that.
    """

    waits = 0
    """For how many seconds it has been waiting for its caller; the longest wait ends first when there is no room."""

    def __init__(
        self, *args: Any, most: int = CONNECTIONS_MAX, on_full: Callable[[Refusal], None] | None = None, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self._most = most
        self._on_full = on_full
        self._has_begun = self._has_moved = self._is_over = self._is_idle = False
        self._size = 0  # of the chunk that is being read
        self._waited_for = 0  # bytes since the last piece of a body, or since the chunk in which a head began
        self._is_lingering = False
        self._dropped = 0  # bytes behind an answer
        self._again = b""  # the head of a request that offers another protocol, without the offer
        self._refusal: Refusal | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            self._drop(len(data))
            return
        self._is_idle = self._has_moved = False
        self._size = size = len(data)
        while data and not self._is_over:
            data = self._feed(data)
        self._waited_for = self._waited_for + size if self._has_begun and not self._has_moved else 0
        if self._waited_for > HEAD_BYTES_MAX and not self._is_over:
            self._refuse(head_too_large())

    def tick(self) -> None:
        """Be told that a second went by."""
        if self.is_served:
            self.waits = 0
            return
        self.waits += 1
        is_between = self.cycle is None or self.cycle.response_complete or self._is_lingering
        if is_between and self.waits >= self._patience():
            self.transport.close()

    def _patience(self) -> float:
        if self._is_lingering:
            return LINGER_SECONDS
        return self.timeout_keep_alive if self._is_idle else HEAD_SECONDS

    def _end(self) -> None:
        """Close behind the last answer; while its request still comes, as RFC 9112 section 9.6 says.

        To close a socket that holds what nobody has read resets it, and a reset destroys the answer on its way.
        """
        if not (self.cycle.more_body or self.pipeline or self._has_begun or self._is_over):
            self.transport.close()
        elif not self.transport.is_closing():
            self._is_lingering, self.waits = True, 0
            self.transport.write_eof()
            self.flow.resume_reading()

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > LINGER_BYTES:
            self.transport.close()

    def on_response_complete(self) -> None:
        self._is_idle = not (self.pipeline or self._has_begun)
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())

    @property
    def is_served(self) -> bool:
        """Whether a whole request is here that has no whole answer yet."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def on_message_begin(self) -> None:
        self._has_begun = self._has_moved = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.waits = 0
        if self._size > _SMALL or not self._has_moved:  # else the head began in this chunk, and cannot be large
            self._check_size()
        if self.parser.should_upgrade():
            self._set_aside()
            return
        if self.url.find(b"#") >= 0:  # `in` makes an exception first, and drops it
            why = "a # stands in the request's target: write it as %23"
            self._fail(Refusal(Problem.MALFORMED_REQUEST, why))
        if self.url[:1] != b"/":
            self._name_host()
        if len(self.pipeline) >= PIPELINED_MAX:
            why = f"{PIPELINED_MAX} requests on this connection wait for their answers: send no more before they came"
            self._fail(Refusal(Problem.OVERLOADED, why))
        self._has_moved = True
        self._ask()
        self.headers = []  # takes the trailers, which mean nothing here

    def _ask(self) -> None:
        """Have the application asked, when what came before is answered."""
        last = self.cycle
        keep_alive = self.scope["http_version"] != "1.0" and self.parser.should_keep_alive()
        self.cycle = cycle = self._cycle(self._asked_scope(), keep_alive=keep_alive)
        cycle.waiting_for_100_continue = self.expect_100_continue
        self._dropped = 0
        cast(dict[str, Any], self.scope)[EXCHANGE] = cycle
        if last is None or last.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _cycle(self, scope: HTTPScope, *, keep_alive: bool) -> Cycle:
        cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.on_last = self._end
        return cycle

    def _asked_scope(self) -> HTTPScope:
        """Return the scope of ASGI with what the request line says."""
        scope, url = self.scope, self.url
        if _PLAIN_TARGET.fullmatch(url):
            raw_path, _, query = url.partition(b"?")
        else:
            parsed = httptools.parse_url(url)
            raw_path, query = parsed.path, parsed.query or b""
        path = raw_path.decode("ascii")
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = self.parser.get_http_version()
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        return scope

    def on_body(self, body: bytes) -> None:
        self._has_moved = True
        if self.cycle.response_complete:
            self._drop(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._again:
            self._has_begun = False
            super().on_message_complete()

    def _check_size(self) -> None:
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES_MAX:
            self._fail(head_too_large())

    def _feed(self, data: bytes) -> bytes:
        """Have this parsed, and return what is to be parsed next."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as end:
            head, self._again = self._again, b""
            self.parser = self._new_parser()  # this one has come to its end if the caller wants to close
            return head + data[end.args[0] :]
        except httptools.HttpParserError as error:
            self._refuse(self._refusal or refusal_of(data, error))
        return b""

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _set_aside(self) -> None:
        """Keep the head, to read it as that of a request which offers nothing: RFC 9110 section 7.8 lets a server."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._fail(unknown_method(method))
        version = self.parser.get_http_version().encode()
        lines = [method + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self._again = b"\r\n".join((*lines, b"", b""))

    def _name_host(self) -> None:
        """Have the host in the target be the one that is asked for: RFC 9112 section 3.2.2.

        The one that is sent beside it is still to be there, once.
        """
        try:
            check_host({"headers": self.headers, "http_version": self.parser.get_http_version()})
        except Refusal as refusal:
            self._fail(refusal)
        found = _AUTHORITY.match(self.url)
        if found:
            self.headers[:] = [(b"host", found[1]), *(header for header in self.headers if header[0] != b"host")]

    def _fail(self, refusal: Refusal) -> NoReturn:
        self._refusal = refusal
        raise ValueError  # the parser ends, and `_feed` tells why

    def _make_room(self) -> None:
        """Close who has kept us waiting for longest; if everybody else is being served, refuse this one."""
        there = [each for each in self.connections if isinstance(each, Connection) and not each.transport.is_closing()]
        if len(there) <= self._most:
            return
        waiting = [each for each in there if each is not self and not each.is_served]
        if waiting:
            max(waiting, key=lambda each: each.waits).transport.close()
        else:
            full = Refusal(Problem.OVERLOADED, f"{self._most:,} connections are being served: repeat this later")
            if self._on_full is not None:
                self._on_full(full)
            self._refuse(full)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is no request, or none that can be served, when what came before it is answered; then close."""
        self._is_over = True
        answer = answer_to(refusal, instance="/")
        scope = cast(HTTPScope, {"type": "http", "method": "GET", "http_version": "1.1"})
        last, cycle = self.cycle, self._cycle(scope, keep_alive=False)
        self.cycle = cycle
        if last is None or last.response_complete:
            self._start_asgi_task(cycle, answer)  # type: ignore[arg-type]
        elif not last.more_body:
            self.pipeline.appendleft((cycle, answer))  # type: ignore[arg-type]
        else:  # it is the one at fault, so this is its answer
            last.disconnected = True
            last.message_event.set()
            if self.pipeline:
                self.pipeline[0] = (cycle, answer)  # type: ignore[assignment]
            else:
                self._start_asgi_task(cycle, answer)  # type: ignore[arg-type]
