"""A database in memory with views in it, carried by hand: which entries make a page is the test's business."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.events.codec import Decoder
from tidings.events.declaration import declared
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import identity_key
from tidings.events.timestamp import time_us
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.rows import Key, Row
from tidings.views.declaration import ViewSpec
from tidings.views.fold import Folding
from tidings.views.folder import Folder
from tidings.views.inline import InlineFolds
from tidings.views.live import Live

EVERYTHING = 1 << 30


class Room:
    """One view with its current table, if its mode has one, on a log and a store of their own."""

    def __init__(self, opened: Sqlite, view: ViewSpec) -> None:
        ports = Ports()
        self.store = opened.store
        self.log = Log(opened.log, ports)
        self.view = view
        self.table = view.table(1)
        self.folder = Folder(view, self.table, self.log)
        self.store.hold_inline(InlineFolds([view], self.log, ports))

    async def append(self, envelopes: Sequence[Envelope]) -> list[Entry]:
        """Append and return the entries, in the order of the envelopes; ones that are there keep their place."""
        entries = []
        for start in range(0, len(envelopes), 2000):
            receipt = await self.log.append(envelopes[start : start + 2000])
            found = {entry.position: entry for entry in await self.log.at(receipt.positions)}
            entries += [found[position] for position in receipt.positions]
        return entries

    async def carry(self, entries: Sequence[Entry]) -> None:
        """Fold one page, as a consumer would, in a unit of its own."""
        async with self.store.unit() as unit:
            await self.folder.apply(unit, entries)

    async def take(self, envelopes: Sequence[Envelope]) -> None:
        """Append one page, and have it folded the way the view's mode says."""
        entries = await self.append(envelopes)
        if self.view.mode == "async":
            await self.carry(entries)

    async def stored(self) -> dict[Key, Row]:
        """Return every row as it is kept, tombstones included."""
        key = Folding(self.view).codec.key
        return {key(row.values): row for row in await self.store.every(self.table, after=None, limit=EVERYTHING)}

    async def rows(self, keys: Iterable[Key]) -> dict[Key, Any]:
        """Return the row objects of these keys as a reader sees them, None where there is none."""
        codec = Folding(self.view).codec
        if self.view.mode == "live":
            live = Live(self.view, self.log)
            read = {key: await live.row(key) for key in keys}
        else:
            visible = await self.store.select(self.table, equal={}, after=None, limit=EVERYTHING)
            found = {codec.key(row.values): row for row in visible}
            read = {key: found.get(key) for key in keys}
        return {key: None if row is None else codec.load(row.values) for key, row in read.items()}


@asynccontextmanager
async def room(view: ViewSpec, path: str = ":memory:") -> AsyncIterator[Room]:
    opened = open_sqlite(path, Ports())
    made = Room(opened, view)
    if view.mode != "live":
        await made.store.create_view(view.record(1, "current"))
    try:
        yield made
    finally:
        await made.log.close()
        await opened.close()


def plainly(view: ViewSpec, envelopes: Iterable[Envelope]) -> dict[Key, Any]:
    """Return what the view is for, worked out by its folds alone: each event once, in rank order, from nothing."""
    folds = {fold.declared.type: fold for fold in view.folds}
    histories: dict[Key, list[tuple[int, int, Any, Any]]] = {}
    for said in {(envelope.source, envelope.id): envelope for envelope in envelopes}.values():
        fold = folds[said.type]
        event = Decoder(declared(fold.event).cls).decode(said.data or b"")
        key = tuple(getattr(event, member) for member in view.members(fold))
        at = getattr(event, view.rank) if view.rank else time_us(said.time or "")
        histories.setdefault(key, []).append((at, identity_key(said.source, said.id), fold.function, event))
    rows: dict[Key, Any] = {}
    for key, history in histories.items():
        row = None
        for _, _, function, event in sorted(history, key=lambda step: step[:2]):
            row = function(row, event)
        rows[key] = row
    return rows
