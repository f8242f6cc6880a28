"""The callers of a measured server, in a process of their own: `python -m benchmarks.load` and a `Load` as JSON.

Each connection sends one request, waits for its answer, sends the next. The answers are looked at no more than that
needs, so that the callers are not what is measured: how much of a core they took stands in what is printed.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator

import msgspec
import uvloop

from benchmarks.calls import appends, deliveries

ANSWERED_WITHIN = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: for how many seconds, after how many that do not count, over how many connections.

    `what`: `events` or `hooks`. `rate`: requests a second over all connections; None: as many as are answered.
    """

    port: int
    connections: int
    seconds: float
    warm: float
    seed: int
    what: str = "events"
    rate: float | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `rate`: answers per second; `p50`, `p99`: ms from request to answer; `busy`: share of a core.

    `sent`: requests in all, those that do not count among them; `repeated`: the status of the last one, sent again.
    """

    rate: float
    p50: float
    p99: float
    busy: float
    sent: int
    statuses: dict[str, int]
    repeated: int


def is_whole(data: bytes) -> bool:
    """Say whether this is a whole answer; RuntimeError for one that does not say its length."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(data, 0, end + 2)
    if length is None:
        raise RuntimeError(f"an answer without a length: {data[:200]!r}")
    return len(data) >= end + 4 + int(length[1])


class Callers:
    """All connections together, and what they saw."""

    def __init__(self, load: Load) -> None:
        make = deliveries if load.what == "hooks" else appends
        self.calls: Iterator[bytes] = make(load.port, seed=load.seed)
        self.pause = 0.0 if load.rate is None else load.connections / load.rate
        self.times: list[float] = []
        self.statuses: Counter[bytes] = Counter()
        self.last = b""
        self.is_over = False
        self.unanswered = 0
        self._load = load

    async def run(self) -> Found:
        loop, load = asyncio.get_running_loop(), self._load
        for _ in range(load.connections):
            await loop.create_connection(lambda: _Caller(self), "127.0.0.1", load.port)
        await asyncio.sleep(load.warm)
        before, used, started = len(self.times), time.process_time(), time.perf_counter()
        await asyncio.sleep(load.seconds)
        seconds, used, counted = time.perf_counter() - started, time.process_time() - used, self.times[before:]
        self.is_over = True
        async with asyncio.timeout(ANSWERED_WITHIN):
            while self.unanswered:
                await asyncio.sleep(0.01)
        counted = sorted(counted) or [seconds]  # nobody was answered
        return Found(
            rate=len(counted) / seconds,
            p50=counted[len(counted) // 2] * 1_000,
            p99=counted[len(counted) * 99 // 100] * 1_000,
            busy=used / seconds,
            sent=len(self.times),
            statuses={status.decode(): count for status, count in self.statuses.items()},
            repeated=await self._repeat(),
        )

    async def _repeat(self) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._load.port)
        writer.write(self.last)
        status = int((await reader.readline()).split()[1])
        writer.close()
        return status


class _Caller(asyncio.Protocol):
    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._held = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._callers.last = request = next(self._callers.calls)
        self._callers.unanswered += 1
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        if not is_whole(data):
            self._held = data
            return
        self._held = b""
        self._callers.unanswered -= 1
        self._callers.times.append(time.perf_counter() - self._began)
        self._callers.statuses[data[9:12]] += 1
        if self._callers.is_over:
            return
        wait = self._began + self._callers.pause - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._send_unless_over)
        else:
            self._send()

    def _send_unless_over(self) -> None:
        if not self._callers.is_over:
            self._send()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Load)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(msgspec.json.encode(runner.run(Callers(given).run())).decode())
