"""Dispatchers are killed again and again while they send: nothing is lost, and a repeat has the same webhook-id.

`python -m tests.crash.sending_kills --kills 100` prints what was counted, and ends with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from aiohttp import web

from tests.crash.processes import PATIENCE, Child, start
from tests.crash.sending import make, settings
from tidings.app import Opened
from tidings.events.envelope import Envelope
from tidings.store.deliveries import DeliveryFilter

PATHS = ("/any", "/key", "/fifo")
EACH_TIME = 20
TAKEN_MIN, TAKEN_MAX = 12, 30
"""Requests between two kills, however slow the machine is: what a kill has cut off is made again first, so that hardly
any delivery loses all of its ten attempts in a row, which would be a dead letter."""
KILL_SECONDS = 0.02
WAIT_SECONDS_EACH = 0.5


@dataclass(slots=True)
class Receivers:
    """What came, in its order: by path, pairs of webhook-id and event. A part of it is refused the first time."""

    draw: Random
    got: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    port: int = 0
    taken: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        event = json.loads(await request.read())["id"]
        await asyncio.sleep(self.draw.random() * 0.02)
        if self.draw.random() < 0.1:
            return web.Response(status=500)
        self.got[request.path].append((request.headers["webhook-id"], event))
        self.taken += 1
        self.came.set()
        return web.Response()

    async def until(self, taken: int) -> None:
        """Come back once so many requests have been taken."""
        while self.taken < taken:
            self.came.clear()
            await asyncio.wait_for(self.came.wait(), PATIENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a run came to."""

    kills: int
    events: int
    deliveries: int
    requests: int
    lost: int

    def __str__(self) -> str:
        return (
            f"kills       {self.kills:,}\n"
            f"events      {self.events:,}\n"
            f"deliveries  {self.deliveries:,}: all delivered, each with its attempts\n"
            f"taken       {self.requests:,} requests: {self.requests - self.deliveries:,} repeats, under the same ids\n"
            f"lost        {self.lost:,} attempts, whose process was killed"
        )


async def run(folder: Path, *, kills: int, seed: int) -> Counts:
    """Kill so many times; AssertionError if anything does not hold."""
    draw = Random(seed)
    async with _receiving(draw) as to, make().open(settings(folder), consume=False) as opened:
        for path in PATHS:
            ordering = "none" if path == "/any" else path[1:]
            url = f"http://127.0.0.1:{to.port}{path}"
            await opened.endpoints.add({"url": url, "ordering": ordering}, id=path[1:])
        await opened.endpoints.pause("fifo", reason="comes back at the end")
        events = await _under_kills(opened, to, draw, kills=kills, folder=folder)
        await opened.endpoints.resume("fifo")
        child = await start("send", folder)
        try:
            await _until_delivered(opened, events * len(PATHS))
        finally:
            child.send(signal.SIGKILL)
            await child.ended()
        return await _checked(opened, to, kills=kills, events=events)


async def _under_kills(opened: Opened, to: Receivers, draw: Random, *, kills: int, folder: Path) -> int:
    events = 0
    for _ in range(kills):
        child = await start("send", folder)
        try:
            assert await child.line() == "open"
            wanted = to.taken + draw.randint(TAKEN_MIN, TAKEN_MAX)
            await opened.log.append(
                [
                    Envelope(id=str(events + n), source="/kills", type="said", subject=f"s{n % 5}", data=b"{}")
                    for n in range(EACH_TIME)
                ]
            )
            events += EACH_TIME
            await to.until(wanted)
            await asyncio.sleep(draw.random() * KILL_SECONDS)
        finally:
            await _kill(child)
    return events


async def _kill(child: Child) -> None:
    child.send(signal.SIGKILL)
    ended = await child.ended()
    assert ended.was_killed, ended.errors


async def _until_delivered(opened: Opened, wanted: int) -> None:
    async with asyncio.timeout(PATIENCE + wanted * WAIT_SECONDS_EACH):
        while True:
            rows = await opened.store.deliveries("delivered", where=DeliveryFilter(type="said"), limit=wanted + 1)
            if len(rows) == wanted:
                return
            await asyncio.sleep(0.1)


async def _checked(opened: Opened, to: Receivers, *, kills: int, events: int) -> Counts:
    rows = await opened.store.deliveries(where=DeliveryFilter(type="said"), limit=events * len(PATHS) + 1)
    assert [each["state"] for each in rows] == ["delivered"] * (events * len(PATHS))
    lost = 0
    for each in rows:
        outcomes = [tried.outcome for tried in await opened.store.attempts(each["key"])]
        assert outcomes[-1] == "delivered", (each["key"], outcomes)
        lost += outcomes.count("lost")
    everything = {str(n) for n in range(events)}
    for path in PATHS:
        ids: dict[str, set[str]] = defaultdict(set)
        for id, event in to.got[path]:
            ids[event].add(id)
        assert set(ids) == everything, f"{path} lacks {len(everything - set(ids))}"
        assert all(len(each) == 1 for each in ids.values()), "a repeat has another webhook-id"
    first_seen = list(dict.fromkeys(int(event) for _, event in to.got["/fifo"]))
    assert first_seen == sorted(first_seen), "the queue of the endpoint that came back is out of order"
    for subject in range(5):
        seen = list(dict.fromkeys(int(event) for _, event in to.got["/key"] if int(event) % EACH_TIME % 5 == subject))
        assert seen == sorted(seen), "a subject is out of order"
    requests = sum(map(len, to.got.values()))
    return Counts(kills=kills, events=events, deliveries=len(rows), requests=requests, lost=lost)


@asynccontextmanager
async def _receiving(draw: Random) -> AsyncIterator[Receivers]:
    to, application = Receivers(draw), web.Application()
    application.router.add_post("/{path}", to.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    to.port = runner.addresses[0][1]
    try:
        yield to
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(run(Path(folder), kills=given.kills, seed=given.seed)))


if __name__ == "__main__":
    main()
