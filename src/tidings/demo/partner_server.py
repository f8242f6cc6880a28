"""Partner as a process of its own: takes Chirp's webhooks badly, and counts what reached it.

A share of first attempts fails, hangs, is told to come later or to go elsewhere, or is answered slowly; so does a
smaller share of second ones. An old endpoint is gone for good after a few.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from aiohttp import web

from tidings.demo.partner_taken import TakenList
from tidings.demo.standard import is_signed
from tidings.ports import Clock, Ports

Way = Literal["take", "fail", "hang", "later", "elsewhere", "slowly", "endlessly", "cut"]
SHARES: tuple[tuple[Way, float], ...] = (
    ("fail", 0.08),
    ("later", 0.002),  # each keeps all that is sent to the endpoint waiting for a second
    ("elsewhere", 0.02),
    ("slowly", 0.02),
    ("hang", 0.01),
    ("cut", 0.01),
    ("endlessly", 0.002),
)
OLD_TAKES = 5
HANGS_SECONDS = 60


def way_of(id: str, attempt: int) -> Way:
    """Return how an attempt is taken: the same for every run in which the id is the same."""
    if attempt > 2:
        return "take"
    drawn = int.from_bytes(sha256(f"{id} {attempt}".encode()).digest()[:8]) / 2**64 * attempt
    for way, share in SHARES:
        drawn -= share
        if drawn < 0:
            return way
    return "take"


@dataclass(slots=True)
class Counted:
    """What Partner itself counted. `taken`: by endpoint, how often each event was answered with 2xx."""

    secrets: dict[str, str] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    taken: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    forged: int = 0
    followed: int = 0
    backwards: list[str] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)

    def take(self, endpoint: str, id: str, body: bytes) -> None:
        """Count an event that is answered with 2xx, and see whether its subject goes backwards."""
        first = id not in self.taken[endpoint]
        self.taken[endpoint][id] += 1
        event = json.loads(body)
        position = int(event["sequence"])
        if first and position < self.newest.get(event["subject"], 0):
            self.backwards.append(event["subject"])
        self.newest[event["subject"]] = max(position, self.newest.get(event["subject"], 0))

    def as_json(self) -> dict[str, object]:
        return {
            "attempts": self.attempts.total(),
            "ways": dict(self.ways),
            "taken": {endpoint: dict(ids) for endpoint, ids in self.taken.items()},
            "forged": self.forged,
            "followed": self.followed,
            "backwards": self.backwards[:20],
        }


class Partner:
    """The two endpoints of Partner, and what it says of them."""

    def __init__(self, clock: Clock) -> None:
        self.counted = Counted()
        self.taken = TakenList(clock)
        self._clock = clock

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Take a webhook, well or badly."""
        endpoint, id, body = request.match_info["endpoint"], request.headers.get("webhook-id", ""), await request.read()
        counted = self.counted
        if endpoint not in counted.secrets or not is_signed(counted.secrets[endpoint], request.headers, body):
            counted.forged += 1
            return web.Response(status=401)
        key = f"{endpoint} {id}"
        counted.attempts[key] += 1
        if endpoint == "old":
            return self._take_old(endpoint, id, body)
        way = way_of(id, counted.attempts[key])
        counted.ways[way] += 1
        return await self._answer(way, request, endpoint, id, body)

    def _take_old(self, endpoint: str, id: str, body: bytes) -> web.Response:
        if len(self.counted.taken[endpoint]) >= OLD_TAKES:
            self.counted.ways["gone"] += 1
            return web.Response(status=410)
        self.counted.take(endpoint, id, body)
        return web.Response()

    async def _answer(self, way: Way, request: web.Request, endpoint: str, id: str, body: bytes) -> web.StreamResponse:
        if way in ("fail", "later", "elsewhere"):
            headers = {"later": {"retry-after": "1"}, "elsewhere": {"location": "/followed"}}.get(way, {})
            return web.Response(status={"fail": 500, "later": 429, "elsewhere": 302}[way], headers=headers)
        if way == "hang":
            await self._clock.sleep(HANGS_SECONDS)
            return web.Response()
        if way == "cut":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        self.counted.take(endpoint, id, body)
        self.taken.keep(id, body)
        return web.Response() if way == "take" else await self._drip(request, endless=way == "endlessly")

    async def _drip(self, request: web.Request, *, endless: bool) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            for _ in range(2_000 if endless else 5):
                await answer.write(b"x" * (1_024 if endless else 1))
                await self._clock.sleep(0.001 if endless else 0.05)
        except ConnectionError:
            return answer  # the sender has read enough
        return answer

    async def report(self, _: web.Request) -> web.Response:
        """Tell what was counted."""
        kept = {"forgotten": sorted(self.taken.forgotten), "lost": sorted(self.taken.lost)}
        return web.json_response(self.counted.as_json() | kept)

    async def know(self, request: web.Request) -> web.Response:
        """Learn the secret of an endpoint."""
        self.counted.secrets[request.match_info["endpoint"]] = (await request.json())["secret"]
        return web.Response()

    async def follow(self, _: web.Request) -> web.Response:
        """Count a redirect that was followed."""
        self.counted.followed += 1
        return web.Response()


def main() -> None:
    """Serve on `--port`."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--port", type=int, required=True)
    partner, served = Partner(Ports().clock), web.Application()
    served.router.add_post("/hooks/{endpoint}", partner.take)
    served.router.add_put("/secrets/{endpoint}", partner.know)
    served.router.add_routes(partner.taken.routes())
    served.router.add_get("/report", partner.report)
    served.router.add_route("*", "/followed", partner.follow)
    web.run_app(served, host="127.0.0.1", port=asked.parse_args().port, print=None, handler_cancellation=True)


if __name__ == "__main__":
    main()
