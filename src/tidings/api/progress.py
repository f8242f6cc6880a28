"""How far each view has come: which position a read of it reflects, and waiting until that is the one asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextvars import Context
from dataclasses import dataclass, replace
from functools import partial

from tidings.api.answer import Header
from tidings.api.reached import Reached
from tidings.api.reading import Reading
from tidings.api.waiting import Patience
from tidings.app.opened import Opened
from tidings.errors import NotFoundError
from tidings.log.driver import Position
from tidings.store.parking import Parked
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec, consumer_name

TOLD_SECONDS = 1.0


@dataclass(slots=True)
class Reflected:
    """What a read that begins now reflects at least: what one look found, for all who share it.

    `moves`: how many units of consumers had been kept when the look began. `record`: the table to read, None for a live
    view. `consumer`: whose dead letters are missing in it, None if no consumer writes it; `parked` finds them once.
    `until`: a monotonic time up to which what this process's consumers tell of it is as good as another look.
    """

    position: Position
    moves: int
    record: ViewRecord | None
    consumer: str | None
    until: float = 0.0
    parked: asyncio.Task[Sequence[Parked]] | None = None


class Progress:
    """Looks where views stand. However many requests wait for one view, one look at a time serves them all."""

    def __init__(self, opened: Opened, reading: Reading) -> None:
        self._log = opened.log
        self._store = opened.store
        self._tables = opened.tables
        self._reading = reading
        self._handling = frozenset(service.name for service in opened.services if service.handlers)
        self._clock = opened.ports.clock
        self._last: dict[tuple[str, str], Reflected] = {}
        self._looks: dict[tuple[str, str], asyncio.Task[Reflected]] = {}
        self._moves = opened.carrying.moves
        self._reached: dict[tuple[str, str], Reached[Reflected]] = {}

    async def reach(self, view: ViewSpec, wanted: Position | None, patience: Patience) -> Reflected:
        """Return what a read reflects, as soon as that has the wanted position. `position-not-reached`.

        The view's table is looked up each time: while a request waits, a rebuild may put another in its place.
        """
        found: Reflected | None = None
        waited: asyncio.Future[Reflected] | None = None

        async def now() -> Position:
            nonlocal found, waited
            if waited is not None and waited.done() and not waited.cancelled():
                found, waited = waited.result(), None
                return found.position
            told = None if wanted is None or found is not None else self._told(view)
            # Another process may have come further; who waits will see, but who does not has only this one look.
            is_enough = told is not None and (bool(patience.seconds) or told.position >= (wanted or 0))
            found = told if told is not None and is_enough else await self._shared_look(view)
            return found.position

        def pause(_: float) -> Awaitable[object]:
            nonlocal waited
            reached = self._reached_of(view)
            waited = reached.until(wanted or 0)
            if found is None or found.moves != self._moves.count:  # something was kept after the look began
                reached.stir()
            return waited

        await self._reading.reach(wanted, patience, now=now, pause=pause)
        assert found is not None
        return found

    async def incomplete(self, reflected: Reflected, wanted: Position | None) -> tuple[Header, ...]:
        """Return the header that says how many entries at or below the wanted position are set aside; none if none are.

        To be asked before the rows are read: an entry that is redriven meanwhile is then counted, and not forgotten.
        """
        if wanted is None or reflected.consumer is None:
            return ()
        if reflected.parked is None:
            ask = self._store.parked(reflected.consumer)
            reflected.parked = asyncio.get_running_loop().create_task(_asked(ask), context=Context())
        parked = await asyncio.shield(reflected.parked)
        counts = [await self._count(each, wanted) for each in parked if each.first_position <= wanted]
        return ((b"tidings-incomplete", b"dead-letters=%d" % sum(counts)),) if sum(counts) else ()

    async def is_replaced(self, view: ViewSpec, reflected: Reflected) -> bool:
        """Say whether another table has taken the place of the one that was to be read; then look anew."""
        if await self._tables.of(view) == reflected.record:
            return False
        self._last.pop((view.service, view.name), None)
        return True

    async def _count(self, parked: Parked, upto: Position) -> int:
        if parked.entries == 1:
            return 1
        letters = await self._store.dead_letters(parked.consumer, parked.subject, limit=parked.entries)
        return sum(letter.entry.position <= upto for letter in letters)

    async def _shared_look(self, view: ViewSpec) -> Reflected:
        """Join the look that is under way, if one is: rows are read after it, so they have what it saw and more."""
        name = view.service, view.name
        look = self._looks.get(name)
        if look is None:
            look = asyncio.get_running_loop().create_task(self._look(view), context=Context())
            self._looks[name] = look
            look.add_done_callback(lambda _: self._looks.pop(name, None))
        return await asyncio.shield(look)

    def _told(self, view: ViewSpec) -> Reflected | None:
        """Return what a look would find at least, by what this process's consumers kept since the last one.

        None if that is too long ago: a rebuild, perhaps another process's, may have put another table in its place.
        """
        last = self._last.get((view.service, view.name))
        if last is None or last.consumer is None or self._clock.monotonic() >= last.until:
            return None
        reached = self._moves.reached(last.consumer)
        if reached > last.position:
            last = replace(last, position=reached, moves=self._moves.count, parked=None)
            self._last[view.service, view.name] = last
        return last

    async def _look_again(self, view: ViewSpec) -> Reflected:
        """Return what was told since the last look, or look."""
        last = self._last.get((view.service, view.name))
        told = self._told(view)
        return await self._shared_look(view) if told is None or told is last else told

    async def _look(self, view: ViewSpec) -> Reflected:
        moves = self._moves.count
        if view.mode == "live":
            return Reflected((await self._log.head()).position, moves, None, None)
        record = await self._table(view)
        consumer = self._consumer(view, record)
        while consumer is None or (view.folds and record.mode == "inline"):
            head = (await self._log.head()).position
            last, record = record, await self._table(view)
            if record == last:  # else a rebuild has put it in the other's place, which may lack what came since
                return Reflected(head, moves, record, consumer)
            consumer = self._consumer(view, record)
        until = self._clock.monotonic() + TOLD_SECONDS
        checkpoints = (await self._store.checkpoints(consumer)).values()
        position = min((checkpoint.position for checkpoint in checkpoints), default=0)
        found = self._last[view.service, view.name] = Reflected(position, moves, record, consumer, until)
        return found

    async def _table(self, view: ViewSpec) -> ViewRecord:
        record = await self._tables.of(view)
        if record is None:
            hint = "ask again when the application has made it"
            raise NotFoundError("table of the view", f"{view.service}.{view.name}", hint=hint)
        return record

    def _consumer(self, view: ViewSpec, record: ViewRecord) -> str | None:
        """Return who writes the table, or keeps the parked subjects of an inline one; None: only commands write it."""
        if view.folds:
            return consumer_name(record.table)
        return view.service if view.service in self._handling else None

    def _reached_of(self, view: ViewSpec) -> Reached[Reflected]:
        name = view.service, view.name
        if name not in self._reached:
            self._reached[name] = Reached(partial(self._look_again, view))
            self._moves.listen(self._reached[name].stir)
        return self._reached[name]


async def _asked(ask: Awaitable[Sequence[Parked]]) -> Sequence[Parked]:
    return await ask
