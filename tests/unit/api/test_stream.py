"""The stream as an ASGI server sees it: what it begins with, when it speaks, and when it ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from tests.unit.api.scopes import ask, scope
from tests.unit.api.shop import Shop, open_shop

from tidings.api.answer import Message
from tidings.api.stream import BUFFER, LIFE_SECONDS
from tidings.errors import LogUnavailableError
from tidings.log.driver import Page
from tidings.ports import Ports


class Hours:
    """A clock that stands still until the test moves it; whoever sleeps wakes when its time has come."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []

    def now_us(self) -> int:
        return 1_800_000_000_000_000 + int(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeping.append((self.seconds + seconds, woken))
        await woken

    def move(self, seconds: float) -> None:
        self.seconds += seconds
        for until, woken in self._sleeping:
            if until <= self.seconds and not woken.done():
                woken.set_result(None)


@dataclass
class Connection:
    """One caller: what it was sent, and whether it takes any more."""

    shop: Shop
    sent: list[Message] = field(default_factory=list)
    takes: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, target: str = "/events/stream", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.shop.http(scope("GET", target, named), self._receive, self._send)

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.takes.wait()
        self.sent.append(message)

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    @property
    def is_whole(self) -> bool:
        return self.sent[-1].get("more_body") is not True

    async def until(self, text: str) -> None:
        while text not in self.text:
            await asyncio.sleep(0)


@pytest.fixture
def hours() -> Hours:
    return Hours()


@pytest.fixture
async def shop(hours: Hours) -> AsyncIterator[Shop]:
    async with open_shop(Ports(clock=hours, random=random.Random(7))) as opened:
        yield opened


@pytest.fixture
async def caller(shop: Shop) -> AsyncIterator[Connection]:
    connection = Connection(shop)
    connection.takes.set()
    yield connection
    connection.gone.set()


def begun(connection: Connection, target: str = "/events/stream", **headers: str) -> asyncio.Task[None]:
    return asyncio.create_task(connection.follow(target, **headers))


async def placed(shop: Shop, *orders: str) -> str:
    for order in orders:
        token = (await shop.place(order)).headers["tidings-position"]
    return token


async def test_it_says_first_where_it_begins_and_how_soon_to_come_back(shop: Shop, caller: Connection) -> None:
    head = await placed(shop, "1")
    task = begun(caller)
    await caller.until("\n\n")
    assert caller.text == f"retry: 3000\nid: {head}\n\n"
    start = caller.sent[0]
    assert (start["status"], dict(start["headers"])[b"tidings-position"]) == (200, head.encode())
    assert dict(start["headers"])[b"cache-control"] == b"no-store"
    assert dict(start["headers"])[b"x-accel-buffering"] == b"no"
    caller.gone.set()
    await task


async def test_a_comment_comes_every_fifteen_seconds(hours: Hours, caller: Connection) -> None:
    task = begun(caller)
    await caller.until("\n\n")
    for count in range(1, 4):
        await asyncio.sleep(0.01)
        hours.move(15)
        while caller.text.count(":\n\n") < count:
            await asyncio.sleep(0)
    caller.gone.set()
    await task


async def test_a_comment_says_where_the_caller_is_though_nothing_came_for_it(
    shop: Shop, hours: Hours, caller: Connection
) -> None:
    """Else a caller for whom nothing comes is refused in the end, from where it was: that is no longer kept."""
    start = await placed(shop, "1")
    task = begun(caller, "/events/stream?type=never")
    await caller.until(f"id: {start}\n\n")
    head = await placed(shop, "2", "3")
    while f"id: {head}\n:\n\n" not in caller.text:
        await asyncio.sleep(0.01)
        hours.move(5)
    caller.gone.set()
    await task


async def test_a_caller_is_told_no_place_behind_what_came_while_the_log_failed(
    shop: Shop, hours: Hours, caller: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes nothing, so that it does not hear of the failure; by then others have come, and follow from the head."""
    start, read, failures = await placed(shop, "1"), shop.opened.log.read, [LogUnavailableError("for a moment")]
    task = begun(caller)
    await caller.until(f"id: {start}\n\n")
    await asyncio.sleep(0.05)
    caller.takes.clear()
    hours.move(15)  # a comment is on its way
    await asyncio.sleep(0.05)

    async def fails_once(**asked: Any) -> Page:
        if failures:
            raise failures.pop()
        return await read(**asked)

    monkeypatch.setattr(shop.opened.log, "read", fails_once)
    sought = await placed(shop, "2")
    while failures:
        await asyncio.sleep(0.01)
    other = Connection(shop)
    other.takes.set()
    beside = begun(other)
    await other.until("\n\n")
    await asyncio.sleep(0.05)
    hours.move(16)
    caller.takes.set()
    await task
    assert f"id: {sought}" not in caller.text
    other.gone.set()
    await beside


async def test_what_lies_behind_more_than_one_search_looks_at_is_sent(
    shop: Shop, caller: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.operations.search.LOOKED_AT", 5)
    start = await placed(shop, "first")
    await placed(shop, *map(str, range(30)))
    task = begun(caller, "/events/stream?pattern=" + quote('{"data":{"order_id":["17","new"]}}'), last_event_id=start)
    await caller.until('"order_id":"17"')
    await placed(shop, "new")
    await caller.until('"order_id":"new"')
    caller.gone.set()
    await task


async def test_it_ends_in_order_after_about_a_quarter_of_an_hour(hours: Hours, caller: Connection) -> None:
    task = begun(caller)
    await caller.until("\n\n")
    await asyncio.sleep(0.01)
    hours.move(LIFE_SECONDS * 0.79)
    await asyncio.sleep(0.01)
    assert not task.done()
    hours.move(LIFE_SECONDS * 0.41)
    await task
    assert caller.is_whole


async def test_it_ends_in_order_when_the_server_stops(shop: Shop, caller: Connection) -> None:
    task = begun(caller)
    await caller.until("\n\n")
    shop.http.waiting.stop()
    await task
    assert caller.is_whole


async def test_a_caller_who_takes_nothing_is_cut_off_and_not_skipped(
    shop: Shop, hours: Hours, caller: Connection
) -> None:
    task = begun(caller)
    await caller.until("\n\n")
    caller.takes.clear()
    await placed(shop, "first")
    for _ in range(3):  # until it has begun to count
        await asyncio.sleep(0.01)
        hours.move(1)
    await placed(shop, *map(str, range(BUFFER)))
    await asyncio.sleep(0.01)
    assert not task.done()
    await placed(shop, "one too many")
    await task
    assert not caller.is_whole
    assert "event:" not in caller.text


async def test_a_caller_who_takes_what_comes_is_never_cut_off(shop: Shop, hours: Hours, caller: Connection) -> None:
    task = begun(caller)
    await caller.until("\n\n")
    orders = [str(count) for count in range(BUFFER * 2)]
    await placed(shop, *orders)
    hours.move(5)
    await caller.until(f'"order_id":"{orders[-1]}"')
    assert caller.text.count("event: order-placed\n") == len(orders)
    caller.gone.set()
    await task


async def test_a_position_of_another_log_is_refused_before_anything_is_sent(shop: Shop) -> None:
    reply = await ask(shop.http, "GET", "/events/stream", {"last-event-id": "0000ffff-1"})
    assert (reply.status, reply.slug) == (400, "invalid-position")
    head = await placed(shop, "1")
    for target in (f"/events/stream?after={head}0", "/events/stream?after=x", "/events/stream?subjct=1"):
        assert (await ask(shop.http, "GET", target)).status == 400


async def test_head_has_the_headers_only(shop: Shop, caller: Connection) -> None:
    sent: list[Any] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await shop.http(scope("HEAD", "/events/stream"), caller._receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
