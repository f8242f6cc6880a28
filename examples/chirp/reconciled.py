"""What Till lists, by which the copy of its orders is proved right: webhooks are lost, and deletes are never told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
from msgspec.structs import asdict

from chirp.events import OrderDeleted
from chirp.till import TOLD
from tidings.events.envelope import Envelope
from tidings.reconciliation import (
    Answer,
    Capability,
    Order,
    Page,
    Paging,
    ProviderFacts,
    Rate,
    Row,
    Snapshot,
    keyed_row,
    raise_for_status,
    read_json,
    server_date,
)

STATES = {type.removeprefix("order."): event for type, event in TOLD.items()}
PERIOD = timedelta(seconds=3)


class TillOrders:
    """The adapter of Till's orders. `url`: where Till is."""

    facts = ProviderFacts(
        capability=Capability.VERSIONED,
        order=Order.KEY,
        paging=Paging.KEYSET,
        page_limit=100,
        tick=timedelta(microseconds=1),
        replica_lag=timedelta(0),
        redelivery_horizon=timedelta(days=3),
        rate=Rate(per_second=100, burst=100, bulk_share=0.5),
    )

    def __init__(self, url: str) -> None:
        self._url = url

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        after = {} if cursor is None else {"starting_after": cursor}
        said, headers = await self._get("", {"limit": limit, **after})
        rows = [self._row(order) for order in said["data"]]
        more = rows[-1].key if said["has_more"] else None
        return Page(rows=rows, next_cursor=more, server_date=server_date(headers))

    async def get_one(self, key: str) -> Answer:
        said, headers = await self._get(f"/{quote(key, safe='')}", {})
        missing = said.get("error", {}).get("code") == "resource_missing"
        return Answer(row=None if missing else self._row(said), server_date=server_date(headers))

    async def _get(self, path: str, asked: dict[str, Any]) -> tuple[Any, Any]:
        url = f"{self._url}/v1/orders{path}"
        async with aiohttp.ClientSession() as session, session.get(url, params=asked, allow_redirects=False) as answer:
            raise_for_status(answer.status, answer.headers, but=(404,) if path else ())
            return await read_json(answer.content.iter_any()), answer.headers

    @keyed_row("order_id")
    def _row(self, order: dict[str, Any]) -> Row:
        state = dict(order)
        updated_at = datetime.fromisoformat(state.pop("updated_at"))
        return Row(key=order["order_id"], state=state, version=updated_at)

    def observed(self, row: Row) -> object:
        said = {name: value for name, value in row.state.items() if name != "state"}
        return STATES[row.state["state"]](**said, updated_at=row.version)

    def deleted(self, key: str) -> OrderDeleted:
        return OrderDeleted(key)

    def read(self, event: Any, envelope: Envelope) -> Snapshot:
        if isinstance(event, OrderDeleted):
            return Snapshot(key=event.order_id, state=None)
        state = asdict(event) | {"state": envelope.type.removeprefix("order-")}
        return Snapshot(key=event.order_id, at=state.pop("updated_at"), state=state)
