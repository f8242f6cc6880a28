"""The console over real HTTP, asked as a browser asks: with its cookies, its Origin, and the tokens of its pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp

from tests.browser.shop import Shop, busy_shop, open_shop
from tidings.operations.keys import Asked, add


@dataclass(frozen=True)
class Page:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def token(self) -> str:
        found = re.search(r'name="token" value="([0-9a-f]+)"', self.text)
        assert found is not None, self.text
        return found[1]

    @property
    def words(self) -> str:
        """What a person reads of it."""
        main = self.text.partition("<main")[2]
        return " ".join(unescape(re.sub("<[^>]*>", " ", main)).split())


@dataclass
class Browser:
    """Keeps the cookies it is given, and sends `origin` with every POST."""

    session: aiohttp.ClientSession
    shop: Shop
    origin: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Page:
        return await self._ask("GET", path, headers)

    async def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Page:
        return await self._ask("POST", path, {"origin": self.origin, **headers}, fields)

    async def change(self, shown: str, path: str, **fields: str) -> Page:
        """Open a page, and send a form as it stands there."""
        token = (await self.get(shown)).token
        return await self.post(path, {"token": token, **fields})

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], fields: Any = None) -> Page:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.session.request(
            method, self.shop.url + path, headers=sent, data=fields, allow_redirects=False
        ) as answer:
            for line in answer.headers.getall("set-cookie", []):
                self._take(line)
            return Page(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.text())

    def _take(self, line: str) -> None:
        for name, morsel in SimpleCookie(line).items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


@asynccontextmanager
async def browsing(shop: Shop) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Browser(session, shop, shop.caller.url)


@asynccontextmanager
async def browsing_a_shop(folder: Path, *, is_busy: bool = False) -> AsyncIterator[Browser]:
    async with (busy_shop if is_busy else open_shop)(folder) as shop, browsing(shop) as browser:
        yield browser


async def key(shop: Shop, *scopes: str, sources: tuple[str, ...] | None = None) -> str:
    """Make an API key, and return its token as soon as the server knows it."""
    opened = shop.opened
    made = await add(opened.store, opened.ports, Asked(owner="ops", scopes=scopes, sources=sources), who="cli")
    while await opened.admission.of_token(made.token) is None:
        await opened.ports.clock.sleep(0.02)
    return made.token
