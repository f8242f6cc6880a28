"""How far each view has come: which position a read of it reflects, and waiting until that is the one asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import Context
from dataclasses import dataclass

from tidings.api.answer import Header
from tidings.api.reached import Reached
from tidings.api.reading import Reading
from tidings.api.waiting import Patience
from tidings.app.opened import Opened
from tidings.errors import NotFoundError
from tidings.log.driver import Position
from tidings.store.driver import Parked
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec, consumer_name


@dataclass(frozen=True, slots=True)
class Reflected:
    """What a read that begins now reflects at least.

    `record`: the table to read, None for a live view. `consumer`: whose dead letters are missing in it, None if no
    consumer writes it.
    """

    position: Position
    record: ViewRecord | None
    consumer: str | None


class Progress:
    """Looks where views stand. However many requests wait for one view, one look at a time serves them all."""

    def __init__(self, opened: Opened, reading: Reading) -> None:
        self._log = opened.log
        self._store = opened.store
        self._tables = opened.tables
        self._reading = reading
        self._handling = frozenset(service.name for service in opened.services if service.handlers)
        self._looks: dict[tuple[str, str], tuple[asyncio.Task[Reflected], int]] = {}
        self._moves = opened.carrying.moves
        self._reached: dict[tuple[str, str], Reached] = {}

    async def reach(self, view: ViewSpec, wanted: Position | None, patience: Patience) -> Reflected:
        """Return what a read reflects, as soon as that has the wanted position. `position-not-reached`.

        The view's table is looked up each time: while a request waits, a rebuild may put another in its place.
        """
        found: Reflected | None = None
        seen = 0

        async def now() -> Position:
            nonlocal found, seen
            found, seen = await self._shared_look(view)
            return found.position

        def pause(_: float) -> Awaitable[None]:
            reached = self._reached_of(view)
            until = reached.until(wanted or 0)
            if seen != self._moves.count:  # something was kept after the look began
                reached.stir()
            return until

        await self._reading.reach(wanted, patience, now=now, pause=pause)
        assert found is not None
        return found

    async def incomplete(self, reflected: Reflected, wanted: Position | None) -> tuple[Header, ...]:
        """Return the header that says how many entries at or below the wanted position are set aside; none if none are.

        To be asked before the rows are read: an entry that is redriven meanwhile is then counted, and not forgotten.
        """
        if wanted is None or reflected.consumer is None:
            return ()
        parked = await self._store.parked(reflected.consumer)
        counts = [await self._count(each, wanted) for each in parked if each.first_position <= wanted]
        return ((b"tidings-incomplete", b"dead-letters=%d" % sum(counts)),) if sum(counts) else ()

    async def _count(self, parked: Parked, upto: Position) -> int:
        if parked.entries == 1:
            return 1
        letters = await self._store.dead_letters(parked.consumer, parked.subject, limit=parked.entries)
        return sum(letter.entry.position <= upto for letter in letters)

    async def _shared_look(self, view: ViewSpec) -> tuple[Reflected, int]:
        """Join the look that is under way, if one is: rows are read after it, so they have what it saw and more.

        The number is the count of moves when it began.
        """
        name = view.service, view.name
        look, seen = self._looks.get(name, (None, 0))
        if look is None:
            look, seen = asyncio.get_running_loop().create_task(self._look(view), context=Context()), self._moves.count
            self._looks[name] = look, seen
            look.add_done_callback(lambda _: self._looks.pop(name, None))
        return await asyncio.shield(look), seen

    async def _look(self, view: ViewSpec) -> Reflected:
        if view.mode == "live":
            return Reflected((await self._log.head()).position, None, None)
        record = await self._table(view)
        consumer = self._consumer(view, record)
        while consumer is None or (view.folds and record.mode == "inline"):
            head = (await self._log.head()).position
            last, record = record, await self._table(view)
            if record == last:  # else a rebuild has put it in the other's place, which may lack what came since
                return Reflected(head, record, consumer)
            consumer = self._consumer(view, record)
        checkpoints = (await self._store.checkpoints(consumer)).values()
        return Reflected(min((checkpoint.position for checkpoint in checkpoints), default=0), record, consumer)

    async def _table(self, view: ViewSpec) -> ViewRecord:
        record = await self._tables.of(view)
        if record is None:
            raise NotFoundError(f"{view} has no table yet: ask again when the application has made it")
        return record

    def _consumer(self, view: ViewSpec, record: ViewRecord) -> str | None:
        """Return who writes the table, or keeps the parked subjects of an inline one; None: only commands write it."""
        if view.folds:
            return consumer_name(record.table)
        return view.service if view.service in self._handling else None

    def _reached_of(self, view: ViewSpec) -> Reached:
        name = view.service, view.name
        if name not in self._reached:

            async def look() -> Position:
                return (await self._shared_look(view))[0].position

            self._reached[name] = Reached(look)
            self._moves.listen(self._reached[name].stir)
        return self._reached[name]
