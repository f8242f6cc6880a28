"""`GET /events/stream`: entries as they come, as server-sent events (HTML Living Standard, section 9.2).

Nothing is kept for a caller: each reads the log itself, and comes back with the token of what it has seen last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from starlette.requests import Request

from tidings.api.answer import Header, Receive, Scope, Send
from tidings.api.arrivals import Arrivals, Awaited
from tidings.api.filters import FILTERS, read_sought
from tidings.api.guard import admit
from tidings.api.headers import choose, header
from tidings.api.problems import Refusal
from tidings.api.queries import one, read_query
from tidings.api.refusals import Refusals
from tidings.api.waiting import Waiting
from tidings.app.opened import Opened
from tidings.events.cloudevents import shown, write_structured
from tidings.events.envelope import Entry
from tidings.faces.tokens import Tokens
from tidings.log.driver import Position
from tidings.operations.search import Sought, search

EVENT_STREAM = "text/event-stream"
RETRY_MS = 3_000
COMMENT_SECONDS = 15
LIFE_SECONDS = 15 * 60
JITTER = 0.2
BUFFER = 256
STUCK_SECONDS = 1
PIECE_BYTES = 64 * 1024
_PAGE = 64
_PAGE_BYTES = 256 * 1024
"""What one who takes nothing keeps in memory, or one entry."""
_LOOK_AGAIN = timedelta(seconds=COMMENT_SECONDS)
_COMMENT = b":\n\n"
_KNOWN = FILTERS | {"after"}
_HEADERS: tuple[Header, ...] = (
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


class Stream:
    """Lets callers follow the log."""

    def __init__(
        self, opened: Opened, tokens: Tokens, waiting: Waiting, arrivals: Arrivals, refusals: Refusals
    ) -> None:
        self.refusals = refusals
        self.log = opened.log
        self.keeper = opened.keeper
        self.admission = opened.admission
        self.arrivals = arrivals
        self.tokens = tokens
        self.waiting = waiting
        self.clock = opened.ports.clock
        self._random = opened.ports.random

    async def open(self, request: Request) -> Following:
        """Answer the entries after `Last-Event-ID`, else after `after`, else after the head. `position-expired`."""
        query = read_query(request.scope, known=_KNOWN)
        choose(request.scope, EVENT_STREAM)
        sought = read_sought(request.scope, query)
        last = header(request.scope, b"last-event-id")
        name, token = ("Last-Event-ID", last) if last else ("after", one(query, "after"))
        head = (await self.log.head()).position
        start = head
        if token is not None:
            start = self.tokens.read(token, name=name)
            self.tokens.check(start, head=head, name=name)
        await self.log.read(after=start, limit=1)  # one that has expired is refused while it still can be
        life = LIFE_SECONDS * self._random.uniform(1 - JITTER, 1 + JITTER)
        return Following(self, request.scope, sought, start, life)


class Following:
    """What one caller is sent, an ASGI application. It ends after `life` seconds, so that load moves to new servers.

    `asked`: the scope of the request; who made it is asked again before anything is sent, for keys end meanwhile.
    """

    def __init__(self, stream: Stream, asked: Scope, sought: Sought, start: Position, life: float) -> None:
        self._stream = stream
        self._asked = asked
        self._sought = sought
        self._at = start
        self._life = life
        self._is_sending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = self._stream.tokens.write(self._at).encode()
        headers = (*_HEADERS, (b"tidings-position", token))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            # The id goes first, so that a caller who is cut off before the first event misses none.
            await self._send(send, b"retry: %d\n%s\n" % (RETRY_MS, self._place()))
            await self._until_end(receive, send)
            if not self._is_sending:
                await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if not self._stream.waiting.stopping.is_set():
                raise
        except OSError:
            pass  # the caller went away
        except Exception as error:
            self._stream.refusals.tell_of_stream(error)

    async def _until_end(self, receive: Receive, send: Send) -> None:
        stream = self._stream
        await _first_of(
            self._follow(send), _gone(receive), stream.waiting.stopping.wait(), stream.clock.sleep(self._life)
        )

    async def _follow(self, send: Send) -> None:
        """Send on and on; return if the caller has fallen too far behind, or may not follow any more."""
        async with self._stream.arrivals.awaiting(self._sought) as awaited:
            await self._send_what_comes(send, awaited)

    async def _send_what_comes(self, send: Send, awaited: Awaited) -> None:
        stream, commented = self._stream, self._stream.clock.monotonic()
        while True:
            page = await awaited.look(stream.log, after=self._at, limit=_PAGE, size=_PAGE_BYTES)
            if await self._is_shut_out():
                return
            for piece in self._pieces(page.entries):
                if await self._is_stuck(self._send(send, piece)):
                    return
            self._at = page.upto
            left = commented + COMMENT_SECONDS - stream.clock.monotonic()
            if left <= 0:
                commented = stream.clock.monotonic()
                if await self._is_stuck(self._send(send, self._place() + _COMMENT)):
                    return
            elif not page.entries:
                await _first_of(awaited.come(self._at), stream.clock.sleep(left))

    def _place(self) -> bytes:
        """Return the line that has the caller come back to where it is now, however long nothing came for it."""
        return f"id: {self._stream.tokens.write(self._at)}\n".encode()

    async def _is_shut_out(self) -> bool:
        try:
            await admit(self._stream.admission, self._asked)
        except Refusal:
            return True
        return False

    async def _is_stuck(self, sending: Coroutine[Any, Any, None]) -> bool:
        """Send, and say whether it was given up: more than `BUFFER` entries came while the caller took none."""
        return not await _first_of(sending, self._too_many())

    async def _too_many(self) -> None:
        stream = self._stream
        await stream.clock.sleep(STUCK_SECONDS)
        upto = (await stream.log.head()).position
        count = 0
        while count <= BUFFER:
            page = await search(stream.log, self._sought, after=upto, limit=BUFFER)
            count, upto = count + len(page.entries), page.upto
            if not page.entries:
                await stream.log.wait(after=upto, timeout=_LOOK_AGAIN)

    def _pieces(self, entries: Sequence[Entry]) -> Iterator[bytes]:
        piece = bytearray()
        for entry in entries:
            piece += self._written(entry)
            if len(piece) >= PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        if piece:
            yield bytes(piece)

    def _written(self, entry: Entry) -> bytes:
        told = self._stream.keeper.marks.on(entry)
        line = msgspec.json.format(write_structured(shown(told)), indent=-1)  # data may have been sent in many lines
        head = f"id: {self._stream.tokens.write(entry.position)}\nevent: {entry.envelope.type}\n"
        return head.encode() + b"data: " + line + b"\n\n"

    async def _send(self, send: Send, piece: bytes) -> None:
        self._is_sending = True
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        self._is_sending = False


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first_of(*coroutines: Coroutine[Any, Any, object]) -> bool:
    """Run all until one is done, whose error is raised; cancel the others; say whether the first one is done."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
    return tasks[0] in done
