"""A copy and a provider that lists the same items, for as many as are asked for: none of them is kept in memory."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from tidings import App, Service, event
from tidings.app.opened import Opened
from tidings.events.envelope import Envelope
from tidings.reconciliation import Answer, Capability, Order, Page, Paging, ProviderFacts, Rate, Row, Snapshot
from tidings.reconciliation.copy.copying import Copying
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Mirrored
from tidings.store.rows import Rank

SCOPE = "till-orders"
FILLING = 20_000
PAGE = 1_000
CHANGED = datetime(2026, 1, 1, tzinfo=UTC)


@event("listed-order-seen", version=1, subject="order_id")
class OrderSeen:
    order_id: str
    cents: int
    status: str
    updated_at: datetime


@event("listed-order-gone", version=1, subject="order_id")
class OrderGone:
    order_id: str


class Listed:
    """The adapter. `used`: seconds of the processor's time that were its own."""

    def __init__(self, count: int, *, page: int) -> None:
        self.count = count
        self.used = 0.0
        self.facts = ProviderFacts(
            capability=Capability.VERSIONED,
            order=Order.KEY,
            paging=Paging.KEYSET,
            page_limit=page,
            tick=timedelta(seconds=1),
            replica_lag=timedelta(0),
            redelivery_horizon=timedelta(days=3),
            seekable=False,
            cursor_life=None,
            rate=Rate(per_second=1e9, burst=10**9, bulk_share=1.0),
        )

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        began = time.thread_time()
        start = 0 if cursor is None else int(cursor)
        end = min(start + limit, self.count)
        page = Page(
            rows=[row(n) for n in range(start, end)],
            next_cursor=None if end == self.count else str(end),
            server_date=datetime.now(UTC),
        )
        self.used += time.thread_time() - began
        return page

    async def get_one(self, key: str) -> Answer:
        raise NotImplementedError

    def observed(self, row: Row) -> OrderSeen:
        return OrderSeen(**row.state, updated_at=CHANGED)

    def deleted(self, key: str) -> OrderGone:
        return OrderGone(key)

    def read(self, event: Any, envelope: Envelope) -> Snapshot:
        raise NotImplementedError


def row(n: int) -> Row:
    key = f"or_{n:016d}"
    state = {"order_id": key, "cents": n * 7 % 100_000, "status": "paid"}
    return Row(key=key, state=state, version=CHANGED)


def shop(listing: Listed) -> App:
    """Return an application whose view is the copy of what the provider lists."""
    orders = Service("listed")

    @orders.view(key=("order_id",))
    class Order:
        order_id: str
        cents: int
        status: str

    app = App(orders)
    app.reconcile(SCOPE, Order, listing, events=[OrderSeen, OrderGone])
    return app


async def fill(opened: Opened, app: App, listing: Listed) -> None:
    """Note all items as the copy has them once their events are merged."""
    async with opened.store.unit() as unit:
        await unit.hold(SCOPE)
        record = await Book(unit, SCOPE).opened(opened.scopes[SCOPE]._ports.random)
    copying = Copying(app.views[0], listing.facts, record.secret)
    for start in range(0, listing.count, FILLING):
        async with opened.store.unit() as unit:
            await unit.hold(SCOPE)
            rows = {each.at: each for each in _mirrored(copying, range(start, min(start + FILLING, listing.count)))}
            await Book(unit, SCOPE).write_mirror(dict(rows))


async def bare(connection: sqlite3.Connection, listing: Listed, secret: bytes, row: type) -> int:
    """Compare the same pages with what is noted, and keep nothing of it; return how many rows are equal: the limit."""
    encode, begun, equal = msgspec.json.Encoder(order="sorted").encode_lines, blake2b(key=secret, digest_size=8), 0
    cursor: str | None = "0"
    while cursor is not None:
        page = await listing.list_page(cursor=cursor, limit=PAGE)
        keys = [b"\x02%b\0\0" % row.key.encode() for row in page.rows]
        held = dict(connection.execute(_NOTED, (SCOPE, keys[0], keys[-1])))
        made = msgspec.convert([row.state for row in page.rows], list[row], strict=False)  # type: ignore[valid-type]
        for key, line in zip(keys, encode(made).split(b"\n"), strict=False):
            digest = begun.copy()
            digest.update((len(key) - 3).to_bytes(4) + key[1:-2] + line)
            equal += held[key][10:18] == digest.digest()
        cursor = page.next_cursor
    return equal


_NOTED = "SELECT key, body FROM tidings_scope_note WHERE scope = ? AND kind = 'mirror' AND key BETWEEN ? AND ?"


def _mirrored(copying: Copying, numbers: range) -> Iterator[Mirrored]:
    for n in numbers:
        copy = copying.listed(row(n), latest=2**63 - 1)
        assert copy.version is not None
        yield Mirrored(copy.key, copy.at, Rank(copy.version, 1, 0, copy.hash))
