"""What a child that takes webhooks in does: a till sends each delivery until it is answered with 2xx, and once more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.acceptance.webhooks import Till, delivery, signed
from tests.crash import shop
from tests.crash.telling import tell
from tidings.api.application import application
from tidings.ports import Points, Ports

DELIVERIES = 24
CALLERS = 6
EVENTS_APPENDED = "receiver:events-appended"
"""Where a unit has appended what it emits, as nothing but webhooks are taken in here."""


class Renamed:
    """Tells `points` of that place by its name."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def at(self, name: str) -> None:
        self._points.at(EVENTS_APPENDED if name == "unit:after-emit" else name)


def id_of(n: int) -> str:
    return f"evt_{n}"


async def receive(folder: Path, ports: Ports, options: str) -> None:
    """Send every delivery twice, from several callers at once, and tell each that was answered with 2xx."""
    till = Till()
    async with till.app.open(shop.settings(folder), ports=Ports(points=Renamed(ports.points)), consume=False) as opened:
        http = await application(opened)

        async def call(caller: int) -> None:
            for n in range(caller, DELIVERIES, CALLERS):
                for _ in range(2):
                    await send(http, id_of(n))

        await asyncio.gather(*map(call, range(CALLERS)))


async def send(http: Any, id: str) -> None:
    body = delivery(id, order=id)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/hooks/till",
        "raw_path": b"/hooks/till",
        "root_path": "",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in signed(body))],
    }

    async def arrive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def answer(message: Any) -> None:
        if message["type"] == "http.response.start" and 200 <= message["status"] < 300:
            tell(id)

    await http(scope, arrive, answer)
