"""The part of a store that keeps versions of events, as scripts and a back end's counts of its log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar, cast

from tidings.log.driver import Position
from tidings.store.driver import StoreDriver
from tidings.store.scripts import instances, keeping, registering, tallying
from tidings.store.statement_letters import StatementLetters
from tidings.store.versions import Counted, EventVersion, Miscount, Stretch, Tally, VersionLease, Waiting

ConnectionT = TypeVar("ConnectionT")
NowT = TypeVar("NowT")
SLOTS = 1024
LAST: Position = 2**63 - 1


class StatementVersions(StatementLetters[ConnectionT, NowT]):
    """See `tidings.store.version_store.VersionStore`."""

    @asynccontextmanager
    async def deciding(self, *types: str) -> AsyncIterator[StoreDriver]:
        if self._joined is not None:
            async with self._joined.savepoint():
                await self._change(registering.alone(*types))
                yield cast(StoreDriver, self)
            return
        self._check()
        async with self._open(()) as unit:
            joined = self._joining(unit)
            await joined._change(registering.alone(*types))
            yield cast(StoreDriver, joined)

    # versions and gates
    async def register_versions(self, versions: Sequence[EventVersion], *, replaces: bool) -> None:
        await self._change(registering.register(versions, replaces=replaces))

    async def event_versions(self, type: str | None = None) -> Sequence[EventVersion]:
        return await self._look(registering.listed(type))

    async def write_version(self, version: EventVersion) -> EventVersion:
        return await self._change(registering.write(version))

    # who runs
    async def join_versions(self, leases: Sequence[VersionLease], *, ttl: timedelta) -> None:
        await self._change(instances.join(leases, ttl=_us(ttl), now=self._now()))

    async def renew_versions(self, instance: str, epochs: Mapping[str, int], *, ttl: timedelta) -> bool:
        return await self._change(instances.renew(instance, epochs, ttl=_us(ttl), now=self._now()))

    async def admit_consumer(self, instance: str, consumer: str) -> None:
        await self._change(instances.admit(instance, consumer))

    async def leave_versions(self, instance: str) -> None:
        await self._change(instances.leave(instance, now=self._now()))

    async def version_leases(self) -> Sequence[VersionLease]:
        return await self._look(instances.listed())

    async def forget_leases(self, consumer: str) -> None:
        await self._change(instances.forget(consumer, now=self._now()))

    # how many
    async def fold_census(self, *, most: int = 16_384) -> int:
        return await self._write(lambda to: self._around.statements.census.fold(to, most=most))

    async def tallies(
        self, *, after: Position = 0, known: Counted | None = None, marks: Collection[Position] = ()
    ) -> Counted:
        upto, differs, found = await self._look(tallying.counted(after))
        begin = max(after, upto)
        rest = tallying.known_after(begin, known, upto=upto) or await self._stretches(begin, marks)
        is_exact = all(each.first > after for each in found)
        within = [tally for each in rest for tally in each.tallies]
        counted = await self._counted([*found, *within], is_exact=is_exact, differs=differs)
        return replace(counted, upto=upto, rest=rest)

    async def tallies_of(self, consumer: str) -> Counted:
        found: list[Tally] = []
        rows = await self._look(instances.checkpoints(consumer))
        for part, position in rows:
            slots = (part * SLOTS // len(rows), (part + 1) * SLOTS // len(rows))
            found += await self._count(position, None if len(rows) == 1 else slots)
        return await self._counted(found, is_exact=True)

    async def recount_census(self, *, repairs: bool) -> Sequence[Miscount]:
        async with self.deciding() as deciding:
            joined = cast("StatementVersions[ConnectionT, NowT]", deciding)
            await joined._change(tallying.begin())
            upto, _, counted = await joined._look(tallying.counted(0))
            rest, found = await joined._count(upto), await joined._count(0)
            differing = tallying.miscounts([*counted, *rest], found)
            await joined._change(tallying.reset() if repairs else tallying.mark(differs=bool(differing)))
        return differing

    async def waiting_versions(self) -> Sequence[Waiting]:
        return await self._look(tallying.waiting())

    async def _stretches(self, begin: Position, marks: Collection[Position]) -> tuple[Stretch, ...]:
        """Count what lies after a position, entry by entry, each of them once, whatever is marked."""
        begins = sorted({begin, *(mark for mark in marks if mark > begin)})
        ends = [*begins[1:], LAST]
        return tuple(
            [
                Stretch(after=after, tallies=tuple(await self._count(after, upto=upto)))
                for after, upto in zip(begins, ends, strict=True)
            ]
        )

    async def _count(
        self, after: Position, slots: tuple[int, int] | None = None, *, upto: Position = LAST
    ) -> Sequence[Tally]:
        return await self._read(
            lambda of: self._around.statements.census.count(of, after=after, upto=upto, slots=slots)
        )

    async def _counted(self, tallies: Sequence[Tally], *, is_exact: bool, differs: bool = False) -> Counted:
        head = await self._read(self._around.statements.census.head)
        now = await self._look(keeping.now_of(self._now()))
        return Counted(tallies=tallying.merged(tallies), now=now, head=head, is_exact=is_exact, differs=differs)


def _us(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
