"""An application that sends, and receivers on this machine that it sends to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tidings import App, Service, Settings
from tidings.app import Opened
from tidings.events.envelope import Envelope
from tidings.store.deliveries import DeliveryFilter

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Got:
    """One request as a receiver saw it."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def attempt(self) -> int:
        return int(self.headers["tidings-attempt"])


Answering = Callable[[Got], Awaitable[web.StreamResponse]]


async def fine(got: Got) -> web.StreamResponse:
    return web.Response()


def always(status: int, **headers: str) -> Answering:
    async def answer(got: Got) -> web.StreamResponse:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


class Sink:
    """A receiver. `answer`: what it says to a request; it may be changed."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answer: Answering = fine
        self.port = 0

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def take(self, request: web.Request) -> web.StreamResponse:
        got = Got(request.path, request.headers, await request.read())
        self.got.append(got)
        return await self.answer(got)

    def to(self, path: str) -> list[Got]:
        return [each for each in self.got if each.path == path]


@asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    made, application = Sink(), web.Application()
    application.router.add_post("/{path:.*}", made.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


def settings(url: str = "sqlite:///:memory:", **given: Any) -> Settings:
    usual = {"delivery_http": "on", "delivery_subnets": "127.0.0.0/8", "delivery_delays": "0,0.05,0.05,0.05"}
    return Settings(database_url=url, **{**usual, "delivery_timeout": 5.0, **given})


class Desk:
    """An open application with endpoints."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.store = opened.store
        self.endpoints = opened.endpoints

    async def add(self, url: str, id: str = "e", **members: Any) -> None:
        await self.endpoints.add({"url": url, **members}, id=id)

    async def say(self, *ids: str, type: str = "said", subject: str | None = None, **attributes: Any) -> None:
        await self.opened.log.append(
            [
                Envelope(id=id, source="/test", type=type, subject=subject, attributes=attributes, data=b"{}")
                for id in ids
            ]
        )

    async def rows(self, **where: Any) -> list[dict[str, Any]]:
        return [dict(each) for each in await self.store.deliveries(where=DeliveryFilter(**where), limit=1_000)]

    async def states(self, **where: Any) -> list[str]:
        return [each["state"] for each in await self.rows(**where)]

    async def until(self, *states: str, **where: Any) -> list[dict[str, Any]]:
        """Wait until the deliveries have these states, in the order in which they were added."""
        await eventually(lambda: self._are(states, where))
        return await self.rows(**where)

    async def _are(self, states: tuple[str, ...], where: Mapping[str, Any]) -> bool:
        return await self.states(**where) == list(states)

    async def fares(self, id: str = "e") -> str:
        return (await self.endpoints.show(id)).state


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def desk(url: str = "sqlite:///:memory:", *, app: App | None = None, **given: Any) -> AsyncIterator[Desk]:
    async with (app or App(Service("said"))).open(settings(url, **given)) as opened:
        yield Desk(opened)
