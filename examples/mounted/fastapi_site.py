"""tidings in a FastAPI application: `uvicorn mounted.fastapi_site:site` in the folder `examples`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mounted.visits import PageVisited, app
from tidings.serving import asgi


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with app.open():
        yield


site = FastAPI(lifespan=lifespan)
site.mount("/tidings", asgi(app))


@site.get("/")
async def home() -> dict[str, int]:
    return {"position": await app.publish(PageVisited("/"), source="/site")}
