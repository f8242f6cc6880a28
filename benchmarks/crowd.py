"""Those who wait, in a process of their own: `python -m benchmarks.crowd` and a `Crowd` as JSON.

Half of the waiting reads wait for events of a subject, half for a view to reach a position; the others follow the
stream, each for a subject of its own. Nothing of that comes, so they wait till the end. It prints a line when all are
there, and how many it has lost when its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
import uvloop

from benchmarks.load import is_whole
from benchmarks.steady import POSITION, Line

AT_ONCE = 50
SETTLE_SECONDS = 2.0


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """How many wait, and for what."""

    port: int
    reads: int
    streams: int


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Whose connection ended, and who was answered with an error."""

    closed: int
    refused: int


class _Waiting(asyncio.Protocol):
    """One who waits; a read that was in vain waits anew."""

    def __init__(self, request: bytes, *, is_stream: bool) -> None:
        self.is_closed = self.is_refused = False
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._is_stream = is_stream
        self._held = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        transport.write(self._request)
        if not self._is_stream:
            self.began.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self._held:
            self.is_refused |= data[9:12] not in (b"200", b"412")
        self._held += data
        if self._is_stream:
            self._held = b"."  # what follows is no head
            if not self.began.done():
                self.began.set_result(None)
        elif is_whole(self._held):
            self._held = b""
            self._transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True
        if not self.began.done():
            self.began.set_result(None)


async def wait(crowd: Crowd) -> Lost:
    loop, host = asyncio.get_running_loop(), f"host: 127.0.0.1:{crowd.port}\r\n"
    token = await _far_ahead(crowd.port, host)
    targets = [
        f"/views/bookmarks/bookmark/u{n}/t{n}" if n % 2 else f"/events?subject=nobody-{n}" for n in range(crowd.reads)
    ]
    asked = [f"GET {target} HTTP/1.1\r\n{host}prefer: wait=30\r\n" for target in targets]
    reads = [head + (f"tidings-min-position: {token}\r\n" if n % 2 else "") for n, head in enumerate(asked)]
    streams = [f"GET /events/stream?subject=nobody-{n} HTTP/1.1\r\n{host}" for n in range(crowd.streams)]
    waiting: list[_Waiting] = []
    for n, head in enumerate([*reads, *streams]):
        request, is_stream = head.encode() + b"\r\n", n >= len(reads)
        _, one = await loop.create_connection(
            lambda request=request, is_stream=is_stream: _Waiting(request, is_stream=is_stream),  # type: ignore[misc]
            "127.0.0.1",
            crowd.port,
        )
        waiting.append(one)
        if n % AT_ONCE == 0:
            await one.began
    await asyncio.gather(*(one.began for one in waiting))
    await asyncio.sleep(SETTLE_SECONDS)
    print("all are there", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    return Lost(closed=sum(one.is_closed for one in waiting), refused=sum(one.is_refused for one in waiting))


async def _far_ahead(port: int, host: str) -> str:
    """Return a token of this log that it will not reach while anybody waits."""
    _, line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", port)
    answer = await line.ask(f"GET /events?limit=1 HTTP/1.1\r\n{host}\r\n".encode())
    found = POSITION.search(answer)
    assert found is not None, answer
    return found[1].decode().rpartition("-")[0] + "-1000000000000"


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Crowd)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(msgspec.json.encode(runner.run(wait(given))).decode())
