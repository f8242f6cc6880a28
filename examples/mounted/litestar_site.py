"""tidings in a Litestar application: `uvicorn mounted.litestar_site:site` in the folder `examples`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, asgi, get
from litestar.types import Receive, Scope, Send

from mounted.visits import PageVisited, app
from tidings.serving import asgi as tidings_asgi

events = tidings_asgi(app)


@get("/")
async def home() -> dict[str, int]:
    return {"position": await app.publish(PageVisited("/"), source="/site")}


@asgi("/tidings", is_mount=True, copy_scope=True)
async def tidings(scope: Scope, receive: Receive, send: Send) -> None:
    # Litestar takes the path of the mount off `path`, and says nowhere else what it took.
    await events({**scope, "root_path": "/tidings", "path": "/tidings" + scope["path"]}, receive, send)


@asynccontextmanager
async def lifespan(_: Litestar) -> AsyncIterator[None]:
    async with app.open():
        yield


site = Litestar([home, tidings], lifespan=[lifespan])
