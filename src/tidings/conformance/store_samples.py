"""What the store's suites keep: entries, views, rows, deliveries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, Literal, TypeVar

from tidings.conformance.samples import event
from tidings.conformance.store_harness import START_US
from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.store.audit import Audited, Change
from tidings.store.claims import Claim
from tidings.store.deliveries import Delivery
from tidings.store.driver import StoreDriver
from tidings.store.parking import Parked
from tidings.store.reason import Reason
from tidings.store.rows import Column, Rank, Row, ViewRecord, ViewTable

T = TypeVar("T")

CONSUMER = "suite"
OWNER = "one owner"
OTHER = "another owner"
TTL = timedelta(seconds=8)
SOON = START_US + 1_000_000
FAILED = Reason(kind="handler-failed", error="ValueError: no", next_at=None)


class _Broken(Exception):
    """Leaves a unit, so that it is rolled back."""


@asynccontextmanager
async def undone(block: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enter a unit or a savepoint, and leave it by an exception."""
    try:
        async with block as inside:
            yield inside
            raise _Broken
    except _Broken:
        return


@asynccontextmanager
async def refused(error: type[Exception], block: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enter a unit that has to be refused, inside or on leaving."""
    try:
        async with block as inside:
            yield inside
    except error:
        return
    raise AssertionError(f"it was kept, and not refused with {error.__name__}")


def entry(position: Position, *, subject: str | None = "subject/1", **fields: Any) -> Entry:
    """Return an entry at this position, as it would be read from a log."""
    fields = {"id": str(position), **fields}
    return Entry(position, 1_000 + position, event(fields.pop("id"), subject=subject, **fields))


def reason(next_at: int | None, *, kind: str = "handler-failed", error: str = "ValueError: no") -> Reason:
    """Return why something failed."""
    return Reason(kind=kind, error=error, next_at=next_at)


def delivery(key: str, *, service: str = "shop", order: str | None = None) -> Delivery:
    """Return a delivery with this key."""
    return Delivery(key=key, service=service, function="shop.mail", payload=b'{"to": 1}', order=order)


def audited(change: Change, *, n: int, at: int = START_US) -> Audited:
    """Return a change as the audit shows it."""
    return Audited(
        n=n,
        at=at,
        who=change.who,
        what=change.what,
        on=change.on,
        subject=change.subject,
        position=change.position,
        reason=change.reason,
    )


async def claimed(
    store: StoreDriver, consumer: str = CONSUMER, *, partitions: int = 1, owner: str = OWNER
) -> tuple[Claim, ...]:
    """Register a consumer and claim all its partitions."""
    await store.register(consumer, partitions=partitions, start=0)
    return tuple(await store.claim(consumer, owner=owner, want=partitions, ttl=TTL))


async def claimed_one(store: StoreDriver, consumer: str = CONSUMER, *, owner: str = OWNER) -> Claim:
    """Register a consumer of one partition and claim it."""
    [claim] = await claimed(store, consumer, owner=owner)
    return claim


async def position_of(store: StoreDriver, consumer: str = CONSUMER) -> Position:
    """Return where the one checkpoint of a consumer stands."""
    [checkpoint] = (await store.checkpoints(consumer)).values()
    return checkpoint.position


async def only_parked(store: StoreDriver, consumer: str = CONSUMER) -> Parked:
    """Return the one subject that is parked."""
    [parked] = await store.parked(consumer)
    return parked


async def waiting(store: StoreDriver, subject: str = "subject/1", consumer: str = CONSUMER) -> list[Position]:
    """Return the positions of what waits with a subject."""
    letters = await store.dead_letters(consumer, subject, limit=1_000)
    return [letter.entry.position for letter in letters]


def table(*columns: Column, key: Sequence[str] = ("key",), **more: Any) -> ViewTable:
    """Return a view's table; its key is a text unless told otherwise."""
    chosen = {"service": "suite", "view": "sample", "version": 1, "spans": False, **more}
    return ViewTable(columns=columns or (Column("key", "text"), Column("count", "integer")), key=tuple(key), **chosen)


def record(
    view: ViewTable,
    state: Literal["current", "building", "replaced"] = "current",
    *,
    mode: Literal["async", "inline"] = "async",
    shape: str = "shape 1",
    types: Sequence[str] = ("suite.happened",),
) -> ViewRecord:
    """Return the note of a table."""
    return ViewRecord(table=view, state=state, shape=shape, mode=mode, types=tuple(types))


async def made(store: StoreDriver, view: ViewTable) -> ViewTable:
    """Make a current table."""
    await store.create_view(record(view))
    return view


def row(*values: Any, at: int = 1, position: Position = 1, **rank: int) -> Row:
    """Return a row of these values; `rank` replaces parts of its rank."""
    return Row(values, Rank(**{"at": at, "settled": 0, "kind": 0, "hash": 0, **rank}), position)


async def rows_in(store: StoreDriver, view: ViewTable) -> list[Row]:
    """Return all rows of a table, tombstones included, in the order of their keys."""
    return list(await store.every(view, after=None, limit=10_000))


async def replace_rows(store: StoreDriver, view: ViewTable, *rows: Row) -> None:
    """Keep these rows in a unit of their own."""
    async with store.unit() as unit:
        await unit.replace(view, rows)


async def park(store: StoreDriver, *entries: Entry, why: Reason | None = FAILED) -> None:
    """Park the subject of these entries with them, in a unit of their own."""
    subject = entries[0].envelope.subject or ""
    async with store.unit() as unit:
        await unit.park(CONSUMER, subject, entries, why)
