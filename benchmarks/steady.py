"""Callers who do not wait for each other: `python -m benchmarks.steady` and a `Steady` as JSON.

Requests are sent when they are due, over as many connections as that takes.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from urllib.parse import quote

import msgspec
import uvloop

from benchmarks.events import SOURCE, facts
from benchmarks.load import is_whole
from tidings.events.codec import encode_json

POSITION = re.compile(rb"\r\ntidings-position: ([^\r]+)\r\n", re.IGNORECASE)


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: how many a second, for how many seconds."""

    port: int
    per_second: int
    seconds: float
    seed: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """In ms from when a PUT was due, until its row was read, and until it was answered (`kept_`)."""

    p50: float
    p99: float
    longest: float
    kept_p50: float
    kept_p99: float
    busy: float


class Line(asyncio.Protocol):
    """One connection, with one request at a time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._held = b""

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Send it; the future ends with the whole answer."""
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._held += data
        if is_whole(self._held):
            answer, self._held = self._held, b""
            self._answer.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))


class _Callers:
    def __init__(self, steady: Steady) -> None:
        self._steady = steady
        self._idle: list[Line] = []
        self._kept: list[float] = []
        self._seen: list[float] = []

    async def run(self) -> Seen:
        steady, used, asked = self._steady, time.process_time(), []
        calls = self._calls(round(steady.per_second * steady.seconds))
        started = time.perf_counter()
        for number, (put, get) in enumerate(calls):
            due = started + number / steady.per_second
            if due > time.perf_counter():
                await asyncio.sleep(due - time.perf_counter())
            asked.append(asyncio.create_task(self._put_and_see(due, put, get)))
        await asyncio.gather(*asked)
        busy = (time.process_time() - used) / (time.perf_counter() - started)
        seen, kept = sorted(self._seen), sorted(self._kept)
        return Seen(
            p50=seen[len(seen) // 2],
            p99=seen[len(seen) * 99 // 100],
            longest=seen[-1],
            kept_p50=kept[len(kept) // 2],
            kept_p99=kept[len(kept) * 99 // 100],
            busy=busy,
        )

    async def _put_and_see(self, due: float, put: bytes, get: bytes) -> None:
        line = self._idle.pop() if self._idle else await self._connected()
        kept = await line.ask(put)
        self._kept.append((time.perf_counter() - due) * 1_000)
        position = POSITION.search(kept)
        if not kept.startswith(b"HTTP/1.1 201") or position is None:
            raise RuntimeError(f"a PUT was answered with {kept[:500]!r}")
        row = await line.ask(get + b"tidings-min-position: " + position[1] + b"\r\n\r\n")
        self._seen.append((time.perf_counter() - due) * 1_000)
        if not row.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a row was answered with {row[:500]!r}")
        self._idle.append(line)

    async def _connected(self) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", self._steady.port)
        return line

    def _calls(self, count: int) -> list[tuple[bytes, bytes]]:
        """Return each PUT, and the beginning of the GET that follows it."""
        draw, found = random.Random(self._steady.seed), facts(self._steady.seed)
        host, path, calls = f"host: 127.0.0.1:{self._steady.port}", f"/events/{quote(SOURCE, safe='')}", []
        for _ in range(count):
            tweet, user, text = next(found)
            body = encode_json({"tweet_id": tweet, "user_id": user, "text": text})
            put = (
                f"PUT {path}/{draw.getrandbits(122):032x} HTTP/1.1\r\n{host}\r\nce-type: tweet-bookmarked\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            get = f"GET /views/bookmarks/bookmark/{user}/{tweet} HTTP/1.1\r\n{host}\r\nprefer: wait=10\r\n"
            calls.append((put.encode() + body, get.encode()))
        return calls


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Steady)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(msgspec.json.encode(runner.run(_Callers(given).run())).decode())
