"""Webhooks sent to a receiver on this machine that answers at once, beside bare aiohttp that signs and posts.

`python -m benchmarks.deliver`: the rate of both with as many connections, and what one endpoint that never answers
costs the others.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import uvloop

from tidings import App, Service, Settings
from tidings.app import Opened
from tidings.events.envelope import Envelope
from tidings.store.deliveries import DeliveryFilter

CONNECTIONS = 100
DATA = b'{"text":"' + b"x" * 290 + b'"}'
RATIO = 0.6
ROUNDS = 2
SINK = """
import asyncio, sys
class Sink(asyncio.Protocol):
    def connection_made(self, transport): self.transport, self.left = transport, b""
    def data_received(self, data):
        self.left += data
        while True:
            head, mark, rest = self.left.partition(b"\\r\\n\\r\\n")
            if not mark: return
            lower = head.lower()
            at = lower.index(b"content-length:") + 15
            length = int(lower[at:].split(b"\\r\\n", 1)[0])
            if len(rest) < length: return
            self.left = rest[length:]
            if not head.startswith(b"POST /hangs"):
                self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
async def main():
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
import uvloop
uvloop.run(main())
"""


@asynccontextmanager
async def sink() -> AsyncIterator[int]:
    """Run the receiver in a process of its own; return its port."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SINK, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def bare(port: int, count: int) -> float:
    """Return how many requests a second are signed and posted, with nothing written down."""
    key, numbers = b"k" * 32, iter(range(count))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post() -> None:
            for n in numbers:
                id = "msg_" + hashlib.sha256(str(n).encode()).hexdigest()[:32]
                at = str(int(time.time()))
                signed = b64encode(hmac.digest(key, f"{id}.{at}.".encode() + DATA, "sha256")).decode()
                headers = {"webhook-id": id, "webhook-timestamp": at, "webhook-signature": f"v1,{signed}"}
                async with session.post(f"http://127.0.0.1:{port}/", data=DATA, headers=headers) as answer:
                    await answer.read()

        begun = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(CONNECTIONS)))
        return count / (time.perf_counter() - begun)


async def ours(port: int, count: int, url: str, *, hanging: bool = False) -> float:
    """Return how many deliveries a second are made once the events are in the log, each attempt and result durable."""
    settings = Settings(
        database_url=url, delivery_http="on", delivery_subnets="127.0.0.0/8", delivery_in_flight=CONNECTIONS + 4
    )
    async with App(Service("said")).open(settings) as opened:
        await opened.endpoints.add({"url": f"http://127.0.0.1:{port}/", "slots": CONNECTIONS}, id="e")
        await opened.endpoints.pause("e")
        if hanging:
            await opened.endpoints.add({"url": f"http://127.0.0.1:{port}/hangs"}, id="hangs")
        await fill(opened, count)
        await opened.endpoints.resume("e")
        begun = time.perf_counter()
        await until_delivered(opened, count)
        return count / (time.perf_counter() - begun)


async def fill(opened: Opened, count: int) -> None:
    """Append the events and wait until each has its delivery."""
    for start in range(0, count, 100):
        envelopes = [
            Envelope(id=str(n), source="/bench", type="said", subject=f"s{n % 100}", data=DATA)
            for n in range(start, min(start + 100, count))
        ]
        await opened.log.append(envelopes)
    head = (await opened.log.head()).position
    while min((each.position for each in (await opened.store.checkpoints("endpoints")).values()), default=0) < head:
        await asyncio.sleep(0.05)


async def until_delivered(opened: Opened, count: int) -> None:
    """Look now and then whether all of them are delivered, without reading those that are."""
    while True:
        for state in ("due", "leased", "held"):
            if await opened.store.deliveries(state, where=DeliveryFilter(endpoint="e"), limit=1):
                break
        else:
            return
        await asyncio.sleep(0.1)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3_000)
    parser.add_argument("--database", help="postgresql://…; a file of SQLite if it is left out")
    given = parser.parse_args()
    async with sink() as port:
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:

                def url(name: str, folder: str = folder) -> str:
                    return given.database or f"sqlite:///{Path(folder) / name}.db"

                limit = await bare(port, given.count)
                alone = await ours(port, given.count, url("alone"))
                beside = await ours(port, given.count, url("beside"), hanging=True)
                print(
                    f"bare {limit:,.0f}/s, tidings {alone:,.0f}/s ({alone / limit:.2f} of it, {RATIO} wanted), beside "
                    f"one endpoint that hangs {beside:,.0f}/s ({beside / alone:.2f})"
                )


if __name__ == "__main__":
    uvloop.run(main())
