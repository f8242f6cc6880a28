"""Clients that send sales to the server, ask again until they are answered, and remember each answer they saw."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import aiohttp
from yarl import URL

from tests.crash.processes import PATIENCE
from tests.crash.shop import BEGAN, Sold
from tidings.events.identity import uuid7

CLIENTS = 16
ITEMS = 40
SOURCE = "/web"
PAUSE = 0.05
LONG = 20.0
"""Who has waited for so long is answered before anything else is killed."""


@dataclass(slots=True)
class Witness:
    """What the clients know. `sent`: every sale that was ever begun to be sent, `acknowledged`: those answered 2xx."""

    sent: dict[str, Sold] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)


class Clients:
    """Some clients, each with one request under way to any of the servers, until they are told to stop.

    `disturbed`: when something was last killed, by the loop's time, from which on patience is counted.
    """

    def __init__(self, urls: Sequence[str], seed: int) -> None:
        self.witness = Witness()
        self.first_answer = asyncio.Event()
        self.disturbed = 0.0
        self._waiting: dict[int, float] = {}
        self._urls = urls
        self._random = Random(seed)
        self._documents: dict[str, dict[str, Any]] = {}
        self._recent: list[str] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set; what was begun is sent until it is answered."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for place in range(CLIENTS):
                group.create_task(self._send_on(session, stopping, place))

    async def _send_on(self, session: aiohttp.ClientSession, stopping: asyncio.Event, place: int) -> None:
        while not stopping.is_set():
            ids = self._next_ids()
            forged = len(ids) == 1 and ids[0] in self.witness.acknowledged and self._random.random() < 0.2
            self._waiting[place] = asyncio.get_running_loop().time()
            await self._until_answered(session, ids, forged=forged)
            del self._waiting[place]

    async def until_answered(self) -> None:
        """Wait for an answer, and for one to each client that has waited long.

        On a busy machine there is hardly time for a few answers between two kills: somebody would be passed over again
        and again.
        """
        async with asyncio.timeout(PATIENCE):
            self.first_answer.clear()
            await self.first_answer.wait()
            begun = asyncio.get_running_loop().time()
            while any(since < begun - LONG for since in self._waiting.values()):
                self.first_answer.clear()
                await self.first_answer.wait()

    def _next_ids(self) -> list[str]:
        """Return new sales, a repeat of one, or a batch of both."""
        if self._recent and self._random.random() < 0.25:
            return [self._random.choice(self._recent)]
        count = self._random.choice((1, 1, 1, 5))
        ids = [self._new() for _ in range(count)]
        if count > 1 and self._recent and self._random.random() < 0.5:
            ids.append(self._random.choice(self._recent))
        return ids

    def _new(self) -> str:
        draw, n = self._random, len(self.witness.sent)
        time = BEGAN + timedelta(minutes=n - draw.choice((0, 0, 0, draw.randrange(10_000))))
        bits = draw.getrandbits(74)
        id = draw.choice((f"sale-{draw.getrandbits(128):032x}", uuid7(int(time.timestamp() * 1e6), bits)))
        sold = Sold(f"item-{draw.randrange(ITEMS)}", f"shop-{draw.randrange(3)}", draw.randrange(1, 10_000))
        self.witness.sent[id] = sold
        self._recent = [*self._recent[-200:], id]
        self._documents[id] = {
            "specversion": "1.0",
            "id": id,
            "source": SOURCE,
            "type": "item-sold",
            "time": time.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {"item": sold.item, "shop": sold.shop, "cents": sold.cents},
        }
        return id

    async def _until_answered(self, session: aiohttp.ClientSession, ids: list[str], *, forged: bool) -> None:
        now = asyncio.get_running_loop().time
        begun = now()
        while True:
            status = await self._ask(session, ids, forged=forged)
            self.witness.answers[str(status or "none")] += 1
            if status not in (0, 503):
                self._note(ids, status, forged=forged)
                return
            assert now() < max(begun, self.disturbed) + PATIENCE, (
                f"{ids} was not answered, last with {status or 'none'}"
            )
            await asyncio.sleep(PAUSE)

    def _note(self, ids: list[str], status: int, *, forged: bool) -> None:
        self.first_answer.set()
        if forged:
            if status != 409:
                self.witness.unexpected.append(f"other content under a known id was answered {status}")
        elif status in (200, 201):
            self.witness.acknowledged.update(ids)
        else:
            self.witness.unexpected.append(f"{ids} was answered {status}")

    async def _ask(self, session: aiohttp.ClientSession, ids: list[str], *, forged: bool) -> int:
        """Return the status of the answer; 0 if there was none."""
        documents = [self._documents[id] for id in ids]
        if forged:
            documents = [{**documents[0], "data": {**documents[0]["data"], "cents": 10_001}}]
        try:
            if len(documents) == 1 and self._random.random() < 0.6:
                return await self._put(session, documents[0])
            batch = len(documents) > 1
            kind = "application/cloudevents-batch+json" if batch else "application/cloudevents+json"
            body = json.dumps(documents if batch else documents[0])
            url = f"{self._random.choice(self._urls)}/events"
            async with session.post(url, data=body, headers={"content-type": kind}) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0

    async def _put(self, session: aiohttp.ClientSession, document: dict[str, Any]) -> int:
        events = f"{self._random.choice(self._urls)}/events"
        url = URL(f"{events}/{SOURCE.replace('/', '%2F')}/{document['id']}", encoded=True)
        headers = {"ce-type": document["type"], "ce-time": document["time"], "content-type": "application/json"}
        async with session.put(url, data=json.dumps(document["data"]), headers=headers) as answer:
            await answer.read()
            return answer.status
