"""A real server on a free port, and a caller who believes nothing that the OpenAPI document does not say."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from tidings import App, Settings
from tidings.api.application import MakePages, no_pages
from tidings.api.serve import Server
from tidings.ports import Ports, SystemClock

ROOT = Path(__file__).resolve().parents[2]
JSON = {"content-type": "application/json"}
BOOKMARKED = {"ce-type": "tweet-bookmarked", **JSON}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
Headers = Mapping[str, str] | Sequence[tuple[str, str]]


def program() -> App:
    """The README's first program, as it stands there."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"```python\n(# chirp\.py\n.*?)```", text, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {"__name__": "chirp"}
    exec(compile(found[1], "chirp.py", "exec"), names)
    app = names["app"]
    assert isinstance(app, App)
    return app


class HastyClock(SystemClock):
    """A clock on which the patience of the log passes five times as fast."""

    def monotonic(self) -> float:
        return super().monotonic() * 5


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def slug(self) -> str:
        return str(self.json["type"]).rpartition(":")[2]

    @property
    def problem(self) -> tuple[int, str]:
        return self.status, self.slug

    @property
    def pointers(self) -> list[str]:
        return [error["pointer"] for error in self.json.get("errors", [])]

    @property
    def position(self) -> str:
        return self.headers["tidings-position"]


class Caller:
    """Sends requests as they are given: no normalised path, no headers of its own where ours are meant."""

    def __init__(self, url: str, session: aiohttp.ClientSession, token: str | None = None) -> None:
        self.url = url
        self._token = token
        self._session = session
        self._document: Any = None

    async def ask(self, method: str, target: str, headers: Headers = (), body: Any = b"") -> Reply:
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        data = body.encode() if isinstance(body, str) else body
        data = io.BytesIO(data) if isinstance(data, bytes) else data
        url = URL(self.url + target, encoded=True)
        async with self._session.request(
            method, url, headers=pairs, data=data, allow_redirects=False, skip_auto_headers=("content-type",)
        ) as answer:
            reply = Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read())
        await self._check(method, target, reply)
        return reply

    async def get(self, target: str, **headers: str) -> Reply:
        return await self.ask("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})

    async def put(self, target: str, headers: Headers, body: Any = b"") -> Reply:
        return await self.ask("PUT", target, headers, body)

    async def post(self, headers: Headers, body: Any = b"", target: str = "/events") -> Reply:
        return await self.ask("POST", target, headers, body)

    async def bookmark(self, id: str, *, tweet: str = "20", user: str = "jack", **attributes: str) -> Reply:
        more = {f"ce-{name}": value for name, value in attributes.items()}
        body = json.dumps({"tweet_id": tweet, "user_id": user})
        return await self.put(f"/events/web/{id}", {**BOOKMARKED, **more}, body)

    async def count(self) -> int:
        """Return how many events are kept."""
        return len((await self.get("/events?limit=1000")).json["entries"])

    async def _check(self, method: str, target: str, reply: Reply) -> None:
        """Hold the reply against the document: its status, its problem type, its media type, its headers."""
        if self._document is None:
            key = {} if self._token is None else {"authorization": f"Bearer {self._token}"}
            async with self._session.get(self.url + "/openapi.json", headers=key) as answer:
                self._document = await answer.json()
        described = self._described(method, target.partition("?")[0])
        if described is None:
            assert reply.status in (401, 403, 404, 405), (method, target, reply)
            return
        assert str(reply.status) in described, (method, target, reply)
        said = described[str(reply.status)]
        content = said.get("content", {})
        media_type = reply.headers.get("content-type", "").partition(";")[0]
        if reply.status not in (204, 304) and method != "HEAD":
            assert media_type in content or "*/*" in content, (media_type, list(content))
        if reply.status >= 400 and method != "HEAD":
            kinds = content[media_type]["schema"]["allOf"][1]["properties"]["type"]["enum"]
            assert reply.json["type"] in kinds, (method, target, reply)
            assert reply.json["status"] == reply.status
        ours = {name for name in reply.headers if name.startswith("tidings-") or name in ("etag", "location", "allow")}
        if reply.status < 400:
            assert ours <= {name.lower() for name in said.get("headers", {})}, (method, target, ours)

    def _described(self, method: str, path: str) -> Any:
        for template, item in self._document["paths"].items():
            pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]*", re.escape(template))
            operation = item.get("get" if method == "HEAD" else method.lower())
            if operation and re.fullmatch(pattern, path):
                return operation["responses"]
        return None


@asynccontextmanager
async def serving(
    app: App,
    settings: Settings,
    ports: Ports | None = None,
    *,
    token: str | None = None,
    pages: MakePages = no_pages,
) -> AsyncIterator[Caller]:
    """Run the server until the block is left; leaving it stops the server in order, with exit code 0.

    `token`: of the key with which the caller reads the document, where there are keys.
    """
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = Server(app, settings, ports or Ports(), ready.set_result, pages)
    running = asyncio.create_task(server.run())
    await asyncio.wait((ready, running), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    async with aiohttp.ClientSession() as session:
        yield Caller(ready.result(), session, token)
        server.stop()
        assert await running == 0


async def raw(caller: Caller, *chunks: bytes) -> bytes:
    """Send bytes as they are; return everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(caller.url.rpartition(":")[2]))
    try:
        async with asyncio.timeout(10):
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
            return await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def in_file(folder: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'events.db'}", port=0)
