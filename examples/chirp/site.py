"""Chirp's page: `uvicorn chirp.site:site`, alone or beside `tidings run chirp.app:app` on the same database.

The page needs no route of its own to write: it asks with events and follows what comes of them, by the HTTP API that is
mounted under `/tidings`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from chirp.app import app
from chirp.bookmarks import SLOTS
from chirp.events import TweetPosted
from tidings.serving import asgi

AUTHOR = "chirp"
TWEETS = (
    "Every event has a name. Say it twice, and it still happened once.",
    "An answer that got lost is no reason to ask for something else. Ask for the same.",
    "What comes late may have happened early. Order is a matter of the event, not of the post.",
    "A view is a moment behind. Usually nobody sees it, but who has just written looks at once.",
    "Show it at once. Mean it when the position is reached. Take it back with a reason.",
    "A fold looks at nothing but the row and the event, which is why it can be run again.",
    "If two systems disagree, somebody has to ask. Better a schedule than a customer.",
    "A dead letter is not lost. It waits, with its reason, and its subject waits with it.",
)

_PAGE = Path(__file__).parent / "page"
_FILES = {"page.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml"}
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


async def page(request: Request) -> Response:
    text = (_PAGE / "page.html").read_text("utf-8").replace("{slots}", str(SLOTS)).replace("{author}", AUTHOR)
    return Response(text, media_type="text/html", headers=_HEADERS)


async def file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        return Response("There is no such file.", 404, media_type="text/plain", headers=_HEADERS)
    return Response((_PAGE / name).read_bytes(), media_type=_FILES[name], headers=_HEADERS)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with app.open():
        for n, text in enumerate(TWEETS, 1):  # their ids are fixed, so every start after the first adds nothing
            await app.publish(TweetPosted(f"page-{n}", AUTHOR, text), source="/chirp/site", id=f"tweet-{n}")
        yield


site = Starlette(
    routes=[Route("/", page), Route("/page/{name}", file), Mount("/tidings", asgi(app))], lifespan=lifespan
)
