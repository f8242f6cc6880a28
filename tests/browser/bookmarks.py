"""Chirp's site as a process of its own, and its page as people find their way in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Locator, Page, Route, expect
from yarl import URL

from tests.warm.serving import Warm
from tidings.demo.server import Place, Server
from tidings.ports import SystemClock

FIRST = "Every event has a name."
SECOND = "An answer that got lost"
PUTS = "**/tidings/events/%2Fpage/*"
STREAM = "**/tidings/events/stream*"


class Chirp:
    """The site on a database in this folder, always on the same port; the page is that of `user`."""

    def __init__(self, folder: Path, server: Server | None = None, user: str = "you") -> None:
        command = ("uvicorn", "chirp.site:site", "--timeout-graceful-shutdown", "1")
        self.server = server or Warm(Place(folder), SystemClock(), *command)
        self.folder = folder
        self.user = user

    def of(self, user: str) -> Chirp:
        return Chirp(self.folder, self.server, user)

    @property
    def url(self) -> str:
        return f"{self.server.url}/?user={self.user}"

    async def start(self) -> None:
        self.server.begin()
        await self.server.be_ready("/")

    async def stop(self) -> None:
        await self.server.stop()

    async def kill(self) -> None:
        await self.server.kill()

    async def say(self, type: str, id: str, **data: str) -> None:
        """Have somebody else say an event."""
        url = URL(f"{self.server.url}/tidings/events/%2Fsomebody/{id}", encoded=True)
        headers = {"ce-type": type, "content-type": "application/json"}
        async with aiohttp.ClientSession() as session, session.put(url, headers=headers, json=data) as answer:
            assert answer.status == 201, await answer.text()

    async def asked(self) -> list[str]:
        """Return the tweets that the log says this user asked for, one for each request that is kept."""
        query = "type=bookmark-requested&limit=1000"
        url = f"{self.server.url}/tidings/events?{query}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            entries: list[Any] = (await answer.json())["entries"]
        said = [entry["event"]["data"] for entry in entries]
        return [data["tweet_id"] for data in said if data["user_id"] == self.user]

    async def kept(self) -> list[str]:
        """Return the tweets that the view says this user has bookmarked."""
        url = f"{self.server.url}/tidings/views/bookmarks/bookmark"
        async with aiohttp.ClientSession() as session, session.get(url, params={"user_id": self.user}) as answer:
            return [row["tweet_id"] for row in json.loads(await answer.text())["rows"]]


def tweet(page: Page, text: str | int) -> Locator:
    """Return the card of a tweet, by its text, or by its place from 0."""
    cards = page.locator("#tweets > li")
    return cards.nth(text) if isinstance(text, int) else cards.filter(has_text=text)


async def bookmark(page: Page, text: str | int) -> None:
    await tweet(page, text).get_by_role("button").click()


async def is_confirmed(page: Page, text: str | int) -> None:
    card = tweet(page, text)
    await expect(card.get_by_text("confirmed", exact=True)).to_be_visible()
    await expect(card.get_by_role("button", name="Bookmarked", pressed=True)).to_be_visible()


async def is_shown_only(page: Page, text: str | int) -> None:
    """It is shown as bookmarked, and said not to be confirmed."""
    card = tweet(page, text)
    await expect(card.get_by_role("button", name="Bookmarked", pressed=True)).to_be_visible()
    await expect(card.get_by_text("not confirmed yet")).to_be_visible()


async def lose(route: Route) -> None:
    """The request does not reach the server."""
    await route.abort()


async def lose_the_answer(route: Route) -> None:
    """The request reaches the server, the answer does not come back."""
    await route.fetch()
    await route.abort()
