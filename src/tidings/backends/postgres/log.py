"""The log on PostgreSQL: entries in partitions by position, and beside them the keys of everything ever appended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from struct import unpack
from typing import Literal

import asyncpg

from tidings.backends.postgres import reading
from tidings.backends.postgres.appending import IdRacedError, MustFoldError, PostgresAppender
from tidings.backends.postgres.database import Database
from tidings.backends.postgres.failures import DRIVER_ERRORS, described, translated
from tidings.backends.postgres.hearing import Listener, Teller
from tidings.backends.postgres.horizon import readable
from tidings.backends.postgres.rooms import Rooms
from tidings.backends.postgres.settling import Settling
from tidings.backends.postgres.single import APPEND_ONE, arguments_of
from tidings.backends.postgres.wakes import Wakes
from tidings.errors import (
    AppendInUnitError,
    LogRewoundError,
    LogUnavailableError,
    StoreUnavailableError,
)
from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.driver import Facts, Head, History, Page, Position, Receipt, Write
from tidings.ports import Ports
from tidings.store.inline import InlineAppends

ENVELOPE_BYTES = 16 * 1024 * 1024
WRITE_ENVELOPES = 10_000
FLUSHES = 4
RACES = 100
"""So often in a row another transaction may take an id of an append first: more is no race, but a key not found."""
LOOKED_THROUGH = 1_000_000
"""So many positions are looked through for what a filter lets through before the reader is told how far that is.

No index has the types, and a statement that passes a whole log would be cancelled.
"""


class PostgresLog:
    """See `tidings.log.driver.LogDriver`."""

    def __init__(self, database: Database, ports: Ports, *, appender: PostgresAppender, inline: InlineAppends) -> None:
        self.facts = Facts(
            name="postgres",
            batch_is_atomic=True,
            write_envelopes_max=WRITE_ENVELOPES,
            envelope_bytes_max=ENVELOPE_BYTES,
            id_remembered_for=None,
            expects=frozenset(("subject", "condition")),
            shares_transaction_with_store=True,
            wakes_across_processes=True,
            append_survives=_survival(database.server.fsync),
            flushes_at_once=FLUSHES,
            appends_one=not database.server.is_pooled,
        )
        self._database = database
        self._ports = ports
        self._appender = appender
        self._inline = inline
        self._inline_types: frozenset[str] = frozenset()
        self._settling = Settling(database)
        self._wakes = Wakes(self._settling)
        self._listener = Listener(database, ports.clock, self._heard)
        self._teller = Teller(database, ports.clock, self._listener)
        self._rooms = Rooms(database)
        appender.committed = self._committed
        appender.make_room = self._rooms.make_beside

    @property
    def inside_unit(self) -> bool:
        return self._database.unit_connection is not None

    def _heard(self, hears: bool) -> None:
        self._wakes.hears = hears
        self._wakes.hint()

    def _committed(self, last: Position) -> None:
        self._wakes.hint()
        if self._teller.has_to_tell:
            self._teller.tell()
        if last >= self._rooms.enough_until:
            self._rooms.reached(last)

    async def append(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        if self.inside_unit:
            raise AppendInUnitError("a unit is open in this task, and an append would wait for its end: emit instead")
        self._check()
        if not self._inline_types or self._inline_types.isdisjoint(_types_of(writes)):
            try:
                return await self._flush(writes)
            except MustFoldError:
                self._inline_types |= _types_of(writes)
        try:
            return await self._inline.inline_flush(writes)
        except StoreUnavailableError as error:
            raise LogUnavailableError(str(error)) from error

    async def append_one(self, envelope: Envelope, *, seconds: float) -> Receipt | None:
        pool = self._database.pool_by_name
        if pool is None or envelope.type in self._inline_types or self._appender.is_rewound:
            return None
        connection = pool.take_idle(seconds)
        if connection is None:
            return None
        self._ports.points.at("append:before-begin")
        try:
            statement = connection.singly or await connection.prepare_singly(APPEND_ONE)
            given = (self._ports.clock.now_us(), *arguments_of(envelope, self._appender.keys))
            position: Position | None = (await statement.rows(given))[0][0]
        except DRIVER_ERRORS as error:
            connection.singly = None
            if isinstance(error, asyncpg.UniqueViolationError):
                self._appender.clash_of(error)
            return None
        finally:
            pool.give_back(connection)
        if position is None:
            return None
        self._ports.points.at("append:committed")
        self._committed(position)
        return Receipt(outcome="appended", positions=(position,))

    async def _flush(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        self._ports.points.at("append:before-begin")
        with translated(LogUnavailableError):
            receipts = await self._keep(writes)
        self._ports.points.at("append:committed")
        self._appender.appended()
        return receipts

    async def _keep(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        races, has_room = 0, False
        while True:
            try:
                async with self._database.connection() as connection:
                    return await self._appender.keep(connection, writes)
            except IdRacedError:
                races += 1  # who was first has committed, so next time its entry is found
                if races == RACES:
                    raise
            except asyncpg.CheckViolationError as error:
                if has_room:  # so it is none of ours: the log has no constraint but that there is a partition
                    raise LogUnavailableError(f"the log takes no entry ({described(error)})") from error
                await self._rooms.make()
                has_room = True

    def _check(self) -> None:
        if self._database.closed or self._wakes.closed:
            raise LogUnavailableError("the log is closed; open it again")

    async def read(self, *, after: Position, limit: int, where: Filter = EVERYTHING) -> Page:
        self._check()
        with translated(LogUnavailableError):
            if self.inside_unit:
                return await self._read_in_unit(after, limit, where)
            if where == EVERYTHING:
                return await self._page(after, limit)
            return await self._matching(after, limit, where)

    async def _page(self, after: Position, limit: int) -> Page:
        page, is_whole = await self._run(after, limit)
        if is_whole:
            return page
        _check_within(after, await self._settling.look())
        if self._settling.final > page.upto:
            page, _ = await self._run(after, limit)  # a new query, so it sees what the look proved to have ended
        return page

    async def _run(self, after: Position, limit: int) -> tuple[Page, bool]:
        """Return what may be read up to the first hole, and whether that is all there is and next to `after`."""
        final = self._settling.final  # before the query: what becomes final while it runs may be missing in it
        async with self._database.connection() as connection:
            found = await reading.page(connection, after, limit)
        positions = [entry.position for entry in found]
        count = readable(positions, after=after, final=final)
        if count and after <= final:
            self._settling.extend(positions[count - 1])
        page = Page(tuple(found[:count]), positions[count - 1] if count else after)
        return page, bool(found) and count == len(found) and positions[0] == after + 1

    async def _matching(self, after: Position, limit: int, where: Filter) -> Page:
        _check_within(after, await self._settling.look())
        upto = max(self._settling.final, after)
        if where.subject is None:
            upto = min(upto, after + LOOKED_THROUGH)
        async with self._database.connection() as connection:
            found = await reading.matching(connection, where, after=after, upto=upto, limit=limit)
        return Page(tuple(found), found[-1].position if len(found) == limit else upto)

    async def _read_in_unit(self, after: Position, limit: int, where: Filter) -> Page:
        """Read what the unit sees, its own writes too. These are nobody else's, so nothing is learnt from them."""
        async with self._database.connection() as connection:
            seen, head = await reading.look(connection)
            _check_within(after, head)
            upto = head.position
            if seen.everybody:
                final = self._settling.final
                upto = max(final, after)
                there = await reading.positions(connection, upto, limit)
                upto = [upto, *there][readable(there, after=upto, final=final)]
            found = await reading.matching(connection, where, after=after, upto=upto, limit=limit)
        return Page(tuple(found), found[-1].position if len(found) == limit else upto)

    async def history(self, wanted: History) -> Sequence[Entry]:
        self._check()
        with translated(LogUnavailableError):
            async with self._database.connection() as connection:
                return await reading.history(connection, wanted)

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]:
        self._check()
        with translated(LogUnavailableError):
            async with self._database.connection() as connection:
                return await reading.at(connection, positions)

    async def find(self, source: str, id: str) -> Entry | None:
        self._check()
        sought = self._appender.sought(source, id)
        with translated(LogUnavailableError):
            async with self._database.connection() as connection:
                halves = unpack(">2q", sought.keys[0])
                position = await reading.position_of(connection, timed=bool(sought.timed), halves=halves)
                return None if position is None else next(iter(await reading.at(connection, [position])), None)

    async def last_of(self, subject: str) -> Position:
        self._check()
        with translated(LogUnavailableError):
            async with self._database.connection() as connection:
                return await reading.last_of(connection, subject)

    async def recorded_from(self, recorded: int) -> Position:
        head = await self.head()
        with translated(LogUnavailableError):
            async with self._database.connection() as connection:
                return await reading.recorded_from(connection, recorded, floor=head.floor, top=head.position)

    async def count(self, *, after: Position, where: Filter, most: int) -> int:
        self._check()
        with translated(LogUnavailableError):
            async with self._database.connection() as connection:
                return await reading.count(connection, where, after=after, most=most)

    async def head(self) -> Head:
        self._check()
        if not self.inside_unit:
            head = await self._settling.look()
            return Head(position=max(self._settling.final, head.floor), floor=head.floor, incarnation=head.incarnation)
        with translated(LogUnavailableError):
            async with self._database.connection() as connection:
                seen, head = await reading.look(connection)
        final = self._settling.final if seen.everybody else head.position
        return Head(position=final, floor=head.floor, incarnation=head.incarnation)

    async def wait(self, *, after: Position, timeout: timedelta) -> None:
        self._check()
        self._listener.begin()
        await self._wakes.wait(after=after, timeout=timeout.total_seconds())

    async def close(self) -> None:
        try:
            await self._wakes.close()
            await self._listener.close()
            await self._teller.close()
            await self._rooms.close()
            await self._settling.close()
        finally:
            await self._database.close()


def _types_of(writes: Sequence[Write]) -> frozenset[str]:
    return frozenset([envelope.type for write in writes for envelope in write.envelopes])


def _check_within(after: Position, head: Head) -> None:
    """PositionExpiredError, LogRewoundError: `after` is none that this log gave out, or one it has forgotten."""
    if after > head.position:
        raise LogRewoundError(
            f"position {after} lies beyond the log's head {head.position}: the log was restored from an older copy; "
            "rewind its consumers"
        )
    reading.check_kept(after, floor=head.floor)


def _survival(fsync: str) -> Literal["process", "power"]:
    return "power" if fsync == "on" else "process"
