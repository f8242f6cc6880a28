"""Till's list of orders over HTTP, as payment providers have it: pages by the last id, and two that lie."""

from __future__ import annotations

from collections import deque

from aiohttp import web

from tidings.demo.till_table import Table
from tidings.ports import Clock

PER_SECOND = 150
"""Whoever asks more often in any one second is told to wait."""
LIMIT_MAX = 100
EMPTY, PARTIAL = 4, 6
"""Which listing, counted from when there are orders, says that there is nothing, and which leaves rows out."""
LEFT_OUT = 4
"""Of the partial one's first page, every so many rows."""


class Listing:
    """The routes. `listings`: how often the list was begun; `refused`: requests that came too fast."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self.listings = 0
        self.refused = 0
        self._table = table
        self._clock = clock
        self._recent: deque[float] = deque()

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/v1/orders", self.list),
            web.get("/v1/orders/{id}", self.one),
            web.get("/history", self.history),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer with a page."""
        if self._is_too_fast():
            return _refused(429, "rate_limit", "too many requests", {"retry-after": "1"})
        try:
            limit = int(request.query.get("limit", "10"))
        except ValueError:
            limit = 0
        if not 1 <= limit <= LIMIT_MAX:
            return _refused(400, "parameter_invalid", f"limit: from 1 to {LIMIT_MAX}")
        after = request.query.get("starting_after", "")
        data, has_more = self._table.page(after=after, limit=limit)
        if not after and self._table.orders:
            self.listings += 1
            if self.listings == EMPTY:
                data, has_more = [], False
            elif self.listings == PARTIAL:
                data = [each for n, each in enumerate(data, 1) if n % LEFT_OUT]
        return web.json_response({"object": "list", "url": "/v1/orders", "has_more": has_more, "data": data})

    async def one(self, request: web.Request) -> web.Response:
        """Answer with one order."""
        if self._is_too_fast():
            return _refused(429, "rate_limit", "too many requests", {"retry-after": "1"})
        id = request.match_info["id"]
        order = self._table.orders.get(id)
        return _refused(404, "resource_missing", f"no order {id}") if order is None else web.json_response(order)

    async def history(self, _: web.Request) -> web.Response:
        """Answer with all that ever happened, which no provider tells."""
        said = [[each.order_id, each.at, each.order] for each in self._table.changes]
        return web.json_response(said)

    def _is_too_fast(self) -> bool:
        now = self._clock.monotonic()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= PER_SECOND:
            self.refused += 1
            return True
        self._recent.append(now)
        return False


def _refused(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    said = {"error": {"type": "invalid_request_error", "code": code, "message": message}}
    return web.json_response(said, status=status, headers=headers)
