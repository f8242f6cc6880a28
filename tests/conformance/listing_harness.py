"""The suite's provider, served in the words of two kinds of providers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.conformance.linked import FACTS, Linked
from tidings.conformance.listing_provider import Behaviour, Item, Provider, Reply
from tidings.reconciliation.listing import Listing


class Served:
    """A provider over HTTP. A subclass says in which words."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.provider = Provider(behaviour)
        self._runner: web.AppRunner | None = None

    async def serve(self, *routes: web.RouteDef) -> str:
        served = web.Application()
        served.router.add_routes(routes)
        self._runner = web.AppRunner(served)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


def answer(reply: Reply, said: Any, **headers: str) -> web.Response:
    if reply.text is not None:
        headers = {"Content-Type": "application/json", **reply.headers}
        return web.Response(status=reply.status, headers=headers, text=reply.text)
    return web.json_response(said, status=reply.status, headers={**reply.headers, **headers})


class LikeTill(Served):
    """Pages by the last id. `adapter`: given the address."""

    def __init__(self, adapter: Any, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self._adapter = adapter

    async def open(self) -> Listing:
        url = await self.serve(web.get("/v1/orders", self._list), web.get("/v1/orders/{id}", self._one))
        found: Listing = self._adapter(url)
        return found

    async def _list(self, request: web.Request) -> web.Response:
        reply = self.provider.list(limit=int(request.query["limit"]), cursor=request.query.get("starting_after"))
        return answer(reply, {"has_more": reply.cursor is not None, "data": [_order(each) for each in reply.items]})

    async def _one(self, request: web.Request) -> web.Response:
        reply = self.provider.get(request.match_info["id"])
        if reply.status == 404 and self.provider.fault is None:
            said = {"error": {"code": "resource_missing"}}
            return web.json_response(said, status=404, headers=reply.headers)
        return answer(reply, _order(reply.items[0]) if reply.items else None)


def _order(item: Item) -> dict[str, Any]:
    who = {"order_id": item.key, "user_id": "jack", "item": "mug", "state": "paid"}
    return {**who, "paid": item.value, "refunded": 0, "revision": 1, "updated_at": item.changed.isoformat()}


class LikeForge(Served):
    """Links to the next page. `adapter`: given the address."""

    def __init__(self, adapter: Any = Linked, behaviour: Behaviour | None = None) -> None:
        super().__init__(behaviour or Behaviour.worst(FACTS))
        self._adapter = adapter

    async def open(self) -> Listing:
        url = await self.serve(web.get("/issues", self._list), web.get("/issues/{id}", self._one))
        found: Listing = self._adapter(url)
        return found

    async def _list(self, request: web.Request) -> web.Response:
        limit, since = int(request.query.get("per_page", "20")), request.query.get("since")
        reply = self.provider.list(
            limit=limit,
            cursor=request.query.get("page"),
            since=None if since is None else datetime.fromtimestamp(int(since), tz=UTC),
        )
        said = [_issue(each) for each in reply.items]
        if reply.cursor is None:
            return answer(reply, said)
        link = str(request.url.with_query({"per_page": str(limit), "page": reply.cursor}))
        return answer(reply, said, Link=f'<{link}>; rel="next"')

    async def _one(self, request: web.Request) -> web.Response:
        reply = self.provider.get(request.match_info["id"])
        return answer(reply, _issue(reply.items[0]) if reply.items else None)


def _issue(item: Item) -> dict[str, Any]:
    changed = item.changed.isoformat()
    return {"id": item.key, "title": f"title {item.value}", "created": item.created, "updated_at": changed}
