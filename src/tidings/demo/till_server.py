"""Till as a process of its own: lists its orders, tells of them by webhooks until each is taken, and counts answers."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tidings.demo.client import PAUSE, PAUSE_MAX
from tidings.demo.plan import Plan
from tidings.demo.standard import secret_of, signed
from tidings.demo.telling import NEVER_TOLD, Telling
from tidings.demo.till_listing import Listing
from tidings.demo.till_table import Table
from tidings.ports import Clock, Ports

SENDERS = 16
STALE_SECONDS = 3_600
SECRET = "CHIRP_TILL_SECRET"  # noqa: S105 - the name of a variable
_REFUSED = 401


@dataclass(slots=True)
class Counted:
    """What Till itself counted. `again`: webhooks without an answer that were sent again."""

    total: int
    taken: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    again: int = 0
    unexpected: list[str] = field(default_factory=list)

    def note(self, telling: Telling, status: int) -> None:
        """Count an answer."""
        self.answers[status] += 1
        if telling.kind == "true" and status in (200, 202):
            self.taken.add(telling.id)
        elif telling.kind != "true" and status == _REFUSED:
            self.refused[telling.kind] += 1
        else:
            self.unexpected.append(f"{telling.kind} webhook {telling.id} -> {status}")

    def as_json(self) -> dict[str, object]:
        return {
            "total": self.total,
            "answered": self.answers.total(),
            "taken": sorted(self.taken),
            "new": self.answers[202],
            "known": self.answers[200],
            "refused": dict(self.refused),
            "again": self.again,
            "unexpected": self.unexpected[:20],
        }


class Till:
    """Sends the tellings of a plan to a receiver's URL, each as soon as it has happened."""

    def __init__(self, tellings: Sequence[Telling], table: Table, url: str, secret: str, ports: Ports) -> None:
        self.counted = Counted(len(tellings))
        self._tellings = tellings
        self._table = table
        self._url = url
        self._secret = secret
        self._other = secret_of(ports.random.randbytes(24))
        self._clock: Clock = ports.clock

    async def send_all(self) -> None:
        """Send every webhook, some at a time, until each is answered."""
        waiting = iter(self._tellings)
        limits = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limits) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(SENDERS):
                group.create_task(self._send(session, waiting))
        self._table.happen()  # what is told nobody, too

    async def _send(self, session: aiohttp.ClientSession, waiting: Iterator[Telling]) -> None:
        for telling in waiting:
            tried, body = 0, telling.body(self._table.happen(telling.id))
            while (status := await self._answer(session, telling, body)) is None:
                tried += 1
                self.counted.again += tried == 1
                await self._clock.sleep(min(PAUSE * 2**tried, PAUSE_MAX))
            self.counted.note(telling, status)

    async def _answer(self, session: aiohttp.ClientSession, telling: Telling, body: bytes) -> int | None:
        """Return the status; None if it is to be sent again: there is no answer, or a 503."""
        headers = self._headers(telling, body) | {"content-type": "application/json"}
        try:
            async with session.post(self._url, data=body, headers=headers) as answer:
                return None if answer.status == 503 else answer.status
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return None

    def _headers(self, telling: Telling, body: bytes) -> dict[str, str]:
        at = self._clock.now_us() // 1_000_000 - (STALE_SECONDS if telling.kind == "stale" else 0)
        secret = self._other if telling.kind == "forged" else self._secret
        content = body + (b" " if telling.kind == "altered" else b"")
        return signed(secret, telling.id, at, content)


def main() -> None:
    """Serve orders, and what was counted, on `--port`; tell `--to` a receiver once `/tell` is posted to."""
    asked = argparse.ArgumentParser()
    for name, kind in (("port", int), ("to", str), ("seed", int), ("events", int), ("lost", float)):
        asked.add_argument(f"--{name}", type=kind, required=True)
    given = asked.parse_args()
    ports, plan = Ports(), Plan.draw(given.seed, events=given.events, lost=given.lost)
    # It deletes when all else is over, so that what it deletes was seen before.
    table = Table(sorted(plan.of_till, key=lambda each: each.type == NEVER_TOLD), ports.clock)
    till = Till(plan.tellings, table, given.to, os.environ[SECRET], ports)
    listing, telling = Listing(table, ports.clock), set[asyncio.Task[None]]()

    async def report(_: web.Request) -> web.Response:
        last = table.changes[-1].at if table.changes else 0
        listed = {"listings": listing.listings, "hurried": listing.refused}
        is_over = all(each.done() for each in telling)
        return web.json_response(till.counted.as_json() | listed | {"changed": last, "over": is_over})

    async def tell(_: web.Request) -> web.Response:
        telling.add(asyncio.create_task(till.send_all()))
        return web.Response(status=202)

    served = web.Application()
    served.router.add_routes([*listing.routes(), web.get("/report", report), web.post("/tell", tell)])
    web.run_app(served, host="127.0.0.1", port=given.port, print=None, handler_cancellation=True)


if __name__ == "__main__":
    main()
