"""tidings in a Starlette application: `uvicorn mounted.starlette_site:site` in the folder `examples`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from mounted.visits import PageVisited, app
from tidings.serving import asgi


async def home(request: Request) -> JSONResponse:
    return JSONResponse({"position": await app.publish(PageVisited("/"), source="/site")})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with app.open():
        yield


site = Starlette(routes=[Route("/", home), Mount("/tidings", asgi(app))], lifespan=lifespan)
