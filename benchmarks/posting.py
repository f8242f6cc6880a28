"""Who posts, in a process of its own: `python -m benchmarks.posting bare|ours|beside PORT COUNT URL` prints a `Posted`.

Both have as many connections, sign in the same way, and send bodies of the same size. What counts begins after a tenth.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import sys
import time
from base64 import b64encode
from dataclasses import dataclass, replace

import aiohttp
import msgspec
import uvloop

from tidings import App, Service
from tidings.api.serve import spare_what_stays
from tidings.app import Opened
from tidings.events.envelope import Entry, Envelope
from tidings.ports import Ports
from tidings.settings import Settings
from tidings.store.deliveries import OPEN, DeliveryFilter
from tidings.webhooks.deliver.rendering import content_of

CONNECTIONS = 100
HANGING_SLOTS = 4
WARM = 0.1
DATA = b'{"text":"' + b"x" * 290 + b'"}'
HEADERS = {"content-type": "application/cloudevents+json"}


@dataclass(frozen=True, slots=True)
class Posted:
    """`rate`: requests a second; `cpu`: µs that one takes of a processor, all threads of the process together."""

    rate: float
    cpu: float


class Watch:
    """Begins to count once `warm` answers came. See `tidings.ports.Points`."""

    def __init__(self, warm: int) -> None:
        self.answers, self._warm = 0, warm
        self._begun = self._used = 0.0

    def at(self, name: str) -> None:
        if name == "delivery:answered":
            self.answered()

    def answered(self) -> None:
        self.answers += 1
        if self.answers == self._warm:
            self._begun, self._used = time.perf_counter(), time.process_time()

    def ended(self) -> Posted:
        count = self.answers - self._warm
        used = (time.process_time() - self._used) * 1_000_000 / count
        return Posted(count / (time.perf_counter() - self._begun), used)


def leave(posted: Posted) -> None:
    """Tell, and end the process: what hangs would be waited for."""
    print(msgspec.json.encode(posted).decode(), flush=True)
    os._exit(0)


def envelope(n: int) -> Envelope:
    attributes = {"datacontenttype": "application/json"}
    return Envelope(
        id=f"{n:08d}", source="/bench", type="said", subject=f"s{n % 100:02d}", attributes=attributes, data=DATA
    )


async def bare(port: int, count: int, watch: Watch) -> None:
    """Sign and post, with nothing written down."""
    key, numbers, body = b"k" * 32, iter(range(count)), content_of(Entry(1, 0, envelope(0)), "cloudevents").body

    async def post(session: aiohttp.ClientSession) -> None:
        for n in numbers:
            id, at = "msg_" + hashlib.sha256(str(n).encode()).hexdigest()[:32], str(int(time.time()))
            signed = b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")).decode()
            headers = {**HEADERS, "webhook-id": id, "webhook-timestamp": at, "webhook-signature": f"v1,{signed}"}
            async with session.post(f"http://127.0.0.1:{port}/", data=body, headers=headers) as answer:
                await answer.read()
            watch.answered()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(post(session) for _ in range(CONNECTIONS)))
    leave(watch.ended())


async def ours(port: int, count: int, watch: Watch, url: str, *, hanging: bool) -> None:
    """Deliver what is in the log, each attempt and result durable."""
    settings = Settings(
        database_url=url,
        delivery_http="on",
        delivery_subnets="127.0.0.0/8",
        delivery_in_flight=CONNECTIONS + HANGING_SLOTS,
    )
    app = App(Service("said"))
    async with app.open(settings, consume=False) as opened:
        await opened.endpoints.add({"url": f"http://127.0.0.1:{port}/", "slots": CONNECTIONS}, id="e")
        if hanging:
            await opened.endpoints.add({"url": f"http://127.0.0.1:{port}/hangs", "slots": HANGING_SLOTS}, id="hangs")
        await _fill(opened, count)
    async with app.open(settings, ports=replace(Ports(), points=watch)) as opened:
        while watch.answers < count or await _is_open(opened):
            await asyncio.sleep(0.01)
        leave(watch.ended())


async def _fill(opened: Opened, count: int) -> None:
    """Append the events and find whom they go to."""
    for start in range(0, count, 500):
        await opened.log.append([envelope(n) for n in range(start, min(start + 500, count))])
    head = (await opened.log.head()).position
    stopping = asyncio.Event()
    fanning = asyncio.create_task((await opened.carrying.consumers())["endpoints"].run(stopping))
    while min((each.position for each in (await opened.store.checkpoints("endpoints")).values()), default=0) < head:
        await asyncio.sleep(0.05)
    stopping.set()
    await fanning


async def _is_open(opened: Opened) -> bool:
    """Say whether one is still to be delivered, without reading those that are."""
    where = DeliveryFilter(endpoint="e")
    return any([await opened.store.deliveries(state, where=where, limit=1) for state in OPEN])


async def main(side: str, port: str, count: str, url: str) -> None:
    watch = Watch(int(int(count) * WARM))
    spare_what_stays()
    if side == "bare":
        await bare(int(port), int(count), watch)
    await ours(int(port), int(count), watch, url, hanging=side == "beside")


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
