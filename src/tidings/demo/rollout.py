"""Chirp taken through three versions of a bookmark while events come: readers first, then the desk, then the end of
the first. Once the order is wrong, and what was asked for is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from tidings.demo.patience import Patience
from tidings.demo.server import Servers
from tidings.demo.traffic import BOOKMARKED, Request
from tidings.errors import OperatorError
from tidings.ports import Clock

WRITTEN = (1, 2, 2, 3)
"""In which version the desk writes in each of the stages: in the third its release is ahead of its readers."""
PAID = "order-paid"
OPEN_WITHIN = 40.0
AHEAD_SECONDS = (8, 24, 60)
"""When a version ends, from when that is said; later, if that was over by the time the command had begun."""


@dataclass(slots=True)
class Story:
    """What was answered on the way. `wrong`: to the wish to open 3 too early; `retired`: to the end of version 1.

    `under_way`: entries of version 1 before consumers when the readers of version 2 came.
    """

    wrong: Mapping[str, Any] = field(default_factory=dict)
    retired: Mapping[str, Any] = field(default_factory=dict)
    under_way: int = 0


Send = Callable[[Sequence[Request]], Awaitable[None]]


class Rollout:
    """`wishes`: the requests that the desk decides, a part in each stage; `send` sends them and waits for the desk."""

    def __init__(self, servers: Servers, clock: Clock, wishes: Sequence[Request], send: Send) -> None:
        self.story = Story()
        self.is_over = False
        self._servers = servers
        self._clock = clock
        self._send = send
        self._parts = in_stages(wishes)

    async def run(self) -> None:
        """Go through all stages. OperatorError if a gate does not open."""
        servers, place = self._servers, self._servers.place
        await servers.end_readers()
        await self._send(self._parts[0])  # so that the first version is under way when its readers change
        counted = await place.ask("versions", "census", BOOKMARKED)
        self.story.under_way = sum(each["in_transit"] for each in counted if each["version"] == 1)
        await servers.begin_readers(2)
        await servers.deploy_desk(2)
        await self._until_open(servers.desk, BOOKMARKED, 2)
        await self._send(self._parts[1])
        await servers.deploy_desk(3)  # before its readers: the wrong order
        self.story.wrong = await place.ask("versions", "open", BOOKMARKED, "3")
        await self._send(self._parts[2])
        await self._deprecate()
        await servers.deploy_readers(3)
        await servers.deploy_desk(3)
        await self._until_open(servers.desk, BOOKMARKED, 3)
        await self._send(self._parts[3])
        self.is_over = True

    async def retire(self) -> None:
        """End version 1 for good, as soon as nothing of it can come any more; give up if nothing comes nearer."""
        patience = Patience(self._clock)
        while True:
            self.story.retired = await self._servers.place.ask("versions", "retire", BOOKMARKED, "1")
            if self.story.retired["answer"] == "ok" or patience.ends(self.story.retired["reasons"]):
                return
            await self._clock.sleep(1.0)

    async def _deprecate(self) -> None:
        for seconds in AHEAD_SECONDS:
            at = datetime.fromtimestamp(self._clock.now_us() // 1_000_000 + seconds, tz=UTC)
            date = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            with suppress(OperatorError):
                await self._servers.place.ask("versions", "deprecate", BOOKMARKED, "1", "--sunset", date)
                return
        raise OperatorError(f"{BOOKMARKED} 1 could not be deprecated within {AHEAD_SECONDS[-1]} s")

    async def until_payments_are_taken(self) -> None:
        """Wait until Till's newer machines may tell what is paid: what comes before is kept, and waits for somebody."""
        await self._until_open(self._servers.urls[0], PAID, 2)

    async def _until_open(self, url: str, type: str, version: int) -> None:
        """Wait until a version may be appended by the process at this URL, which knows what it answers."""
        deadline = self._clock.monotonic() + OPEN_WITHIN
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            while True:
                async with session.get(f"{url}/versions/{type}") as answer:
                    rows = (await answer.json())["versions"]
                if any(each["version"] == version and each["gate"] == "open" for each in rows):
                    return
                if self._clock.monotonic() > deadline:
                    raise OperatorError(f"{type} {version} did not open within {OPEN_WITHIN:.0f} s: {rows}")
                await self._clock.sleep(0.2)


def in_stages(wishes: Sequence[Request]) -> list[Sequence[Request]]:
    """Return what is sent in each stage. A wish and its repeats are of one."""
    ids = list(dict.fromkeys(each.carries for each in wishes))
    stage = {id: n * len(WRITTEN) // len(ids) for n, id in enumerate(ids)}
    return [[each for each in wishes if stage[each.carries] == n] for n in range(len(WRITTEN))]
