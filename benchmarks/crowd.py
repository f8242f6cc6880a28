"""Those who wait, in a process of their own: `python -m benchmarks.crowd` and a `Crowd` as JSON.

Half of the waiting reads wait for events of a subject, half for a view to reach a position; the others follow the
stream, each for a subject of its own. Nothing of that comes, so they wait till the end. It prints a line when all are
there, and how many it has lost when its standard input ends.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import uvloop

from benchmarks.load import is_whole
from benchmarks.steady import POSITION, Line

AT_ONCE = 50
SETTLE_SECONDS = 2.0
WAIT_LEAST, WAIT_MOST = 10, 30
FAR_AHEAD = 10**12  # no log reaches it while anybody waits


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
    """One who waits. `ask` makes the request that follows an answer's position; a stream is one answer without end."""

    def __init__(self, ask: Callable[[bytes], bytes], *, token: bytes, is_stream: bool) -> None:
        self.is_closed = self.is_refused = False
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ask = ask
        self._token = token
        self._is_stream = is_stream
        self._held = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        transport.write(self._ask(self._token))
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
            found = POSITION.search(self._held)
            self._held = b""
            self._transport.write(self._ask(self._token if found is None else found[1]))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True
        if not self.began.done():
            self.began.set_result(None)


def _asks(crowd: Crowd, host: str) -> Iterator[tuple[Callable[[bytes], bytes], bool]]:
    """Yield how each one asks, and whether that is for the stream. Waits of many lengths do not end at once."""
    draw = random.Random(1)
    for n in range(crowd.reads):
        end = f"{host}prefer: wait={draw.randint(WAIT_LEAST, WAIT_MOST)}\r\n\r\n".encode()
        if n % 2:
            yield partial(_view, n, end), False
        else:
            yield partial(_poll, n, end), False
    for n in range(crowd.streams):
        yield partial(_stream, n, host.encode()), True


def _poll(n: int, end: bytes, token: bytes) -> bytes:
    return b"GET /events?subject=nobody-%d&after=%s HTTP/1.1\r\n" % (n, token) + end


def _view(n: int, end: bytes, token: bytes) -> bytes:
    far = b"tidings-min-position: %s-%d\r\n" % (token.rpartition(b"-")[0], FAR_AHEAD)
    return b"GET /views/bookmarks/bookmark/u%d/t%d HTTP/1.1\r\n" % (n, n) + far + end


def _stream(n: int, host: bytes, _: bytes) -> bytes:
    return b"GET /events/stream?subject=nobody-%d HTTP/1.1\r\n" % n + host + b"\r\n"


async def wait(crowd: Crowd) -> Lost:
    loop, host = asyncio.get_running_loop(), f"host: 127.0.0.1:{crowd.port}\r\n"
    token = await _head(crowd.port, host)
    waiting: list[_Waiting] = []
    for ask, is_stream in _asks(crowd, host):
        made = partial(_Waiting, ask, token=token, is_stream=is_stream)
        _, one = await loop.create_connection(made, "127.0.0.1", crowd.port)
        waiting.append(one)
        if len(waiting) % AT_ONCE == 0:
            await one.began
    await asyncio.gather(*(one.began for one in waiting))
    await asyncio.sleep(SETTLE_SECONDS)
    print("all are there", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    return Lost(closed=sum(one.is_closed for one in waiting), refused=sum(one.is_refused for one in waiting))


async def _head(port: int, host: str) -> bytes:
    """Return the token of the log's head."""
    _, line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", port)
    answer = await line.ask(f"GET /events?limit=1 HTTP/1.1\r\n{host}\r\n".encode())
    found = POSITION.search(answer)
    assert found is not None, answer
    return found[1]


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Crowd)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(msgspec.json.encode(runner.run(wait(given))).decode())
