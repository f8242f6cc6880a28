"""Removing tombstones that are needed no more: whatever is older than one is known to be, by the floor of its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from tidings.reconciliation.copy.copying import Copying
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Mirrored, key_place
from tidings.reconciliation.rules.facts import Capability, ProviderFacts, micros
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.judging import DELETE
from tidings.reconciliation.rules.places import START, Range
from tidings.reconciliation.runs.holding import Holding
from tidings.store.rows import Rank, ViewTable

CHUNK = 1_000


def is_needed(rank: Rank, recorded: int, *, floor: int, now: int, facts: ProviderFacts) -> bool:
    """Say whether something older than a tombstone may still come, and would bring back what it says is gone.

    `recorded`: when its delete was; `floor`: of all states at its place. An older event is late by such a floor, and an
    older read adds nothing. A read of the floor's own tick counts, and of one tick a delete comes last: so the floor
    has to be beyond it. Where nothing is ever proved, none comes after the redelivery horizon. What orders reads of
    bare items is no time, so for them it is the time of writing that the floor has to pass.
    """
    if facts.capability is Capability.BARE:
        return floor < recorded
    if floor != NEVER:
        return floor <= rank.at
    return now <= recorded + micros(facts.redelivery_horizon)


class Purging:
    """Removes tombstones of one scope. `copying`: given its secret; `table`: the one that the copy is read from."""

    def __init__(
        self,
        holding: Holding,
        facts: ProviderFacts,
        *,
        copying: Callable[[bytes], Copying],
        table: Callable[[], Awaitable[ViewTable | None]],
    ) -> None:
        self._holding = holding
        self._facts = facts
        self._copying = copying
        self._table = table

    async def purge(self) -> int:
        """Remove those that nothing needs any more; return how many."""
        purged, after, count = 0, None, CHUNK
        while count == CHUNK:
            async with self._holding.open() as (unit, book, record):
                table, found = await self._table(), await book.tombstones(after=after, limit=CHUNK)
                over = await self._over(book, found) if found and table is not None else {}
                if over and table is not None:
                    copying = self._copying(record.secret)
                    await unit.purge(table, {copying.key_of(each.key): each.rank for each in over.values()})
                    await self._forget(book, over)
                    await book.write(replace(record, purged=record.purged + len(over)))
            purged, count = purged + len(over), len(found)
            after = found[-1][0] if found else None
        return purged

    async def _over(self, book: Book, tombstones: Sequence[tuple[bytes, int]]) -> dict[bytes, Mirrored]:
        """Return those that are needed no more, and of whose keys nothing is asked."""
        places = [at for at, _ in tombstones]
        asked = {*await book.open_at(places), *await book.suspects_at(places)}
        floors = await book.floors(Range(START, key_place(places[-1])))
        rows, now = await book.mirrored(places), self._holding.now
        over = {}
        for at, recorded in tombstones:
            row = rows.of(at)
            if row is None or row.rank.kind != DELETE or at in asked:
                continue
            if not is_needed(row.rank, recorded, floor=floors.at(key_place(at)).put, now=now, facts=self._facts):
                over[at] = row
        return over

    async def _forget(self, book: Book, over: Mapping[bytes, Mirrored]) -> None:
        await book.write_mirror(dict.fromkeys(over))
        await book.write_tombstones(dict.fromkeys(over))
        await book.write_places(dict.fromkeys(each.key for each in over.values()))
