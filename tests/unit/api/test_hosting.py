from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.unit.api.scopes import ask
from tests.unit.api.shop import shop

from tidings import App, Settings
from tidings.api import asgi
from tidings.api.answer import Message
from tidings.errors import RefusedError

MEMORY = Settings(database_url="sqlite:///:memory:")


class Host:
    """A server's side of the lifespan protocol."""

    def __init__(self, app: App, settings: Settings) -> None:
        self.app = app
        self.served = asgi(app, settings)
        self.said: list[str] = []
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._task = asyncio.create_task(
            self.served({"type": "lifespan"}, self._to_app.get, self._from_app.put)  # type: ignore[arg-type]
        )

    async def tell(self, stage: str) -> Message:
        await self._to_app.put({"type": f"lifespan.{stage}"})
        return await self._from_app.get()

    async def end(self) -> None:
        await self._task


async def test_a_server_opens_and_closes_the_app_by_its_lifespan() -> None:
    host = Host(shop(), MEMORY)
    assert await host.tell("startup") == {"type": "lifespan.startup.complete"}
    assert (await ask(host.served, "GET", "/readyz")).status == 200
    assert await host.tell("shutdown") == {"type": "lifespan.shutdown.complete"}
    await host.end()
    with pytest.raises(RefusedError):
        _ = host.app.opened


async def test_a_server_is_told_in_one_sentence_why_the_app_does_not_open(tmp_path: Path) -> None:
    host = Host(shop(), MEMORY)
    await host.tell("startup")
    second = Host(host.app, MEMORY)
    said = await second.tell("startup")
    assert said["type"] == "lifespan.startup.failed"
    assert said["message"] == "RefusedError: the app is open already: open it once, and share it"
    await second.end()
    await host.tell("shutdown")
    await host.end()


async def test_a_mounted_app_is_opened_by_whoever_mounts_it() -> None:
    app = shop()
    served = asgi(app)
    for _ in range(2):
        async with app.open(MEMORY, consume=False):
            assert (await ask(served, "GET", "/views")).status == 200


async def test_requests_to_an_app_that_nobody_opened_are_a_problem_that_says_what_to_do() -> None:
    reply = await ask(asgi(shop()), "GET", "/views")
    assert (reply.status, reply.slug, reply.headers["retry-after"]) == (503, "store-unavailable", "1")
    assert "async with app.open" in reply.json["detail"]
    assert "lifespan of the one around it" in reply.json["detail"]


async def test_the_waits_end_with_the_lifespan() -> None:
    host = Host(shop(), MEMORY)
    await host.tell("startup")
    waiting = asyncio.create_task(ask(host.served, "GET", "/events", {"prefer": "wait=30"}))
    await asyncio.wait([waiting], timeout=0.02)
    shutdown = asyncio.create_task(host.tell("shutdown"))
    assert (await waiting).status == 200
    assert await shutdown == {"type": "lifespan.shutdown.complete"}
    await host.end()
