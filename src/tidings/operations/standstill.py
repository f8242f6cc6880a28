"""Which consumers do not come on, though entries wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.beginning import takes_a_place
from tidings.operations.carried import built_by_hand
from tidings.operations.lag import is_held, partitions_of
from tidings.operations.roster import Reader, roster
from tidings.ports import Clock
from tidings.services.service import Service
from tidings.store.driver import StoreDriver

SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Stood:
    """Where a checkpoint stands before entries that wait, and since when, by the monotonic clock."""

    position: Position
    since: float


class Standstill:
    """Looks at checkpoints, and remembers from one look to the next where they stood.

    A checkpoint does not advance if it has stood for `SECONDS` before entries that wait. Nor does one before an entry
    of that age which no process reads: that can be told at the first look.
    """

    def __init__(self, log: Log, store: StoreDriver, clock: Clock, services: Sequence[Service] | None) -> None:
        self._log = log
        self._store = store
        self._clock = clock
        self._services = services
        self._stood: dict[tuple[str, int], _Stood] = {}

    async def look(self) -> str | None:
        """Say who does not advance; None if all do, are paused, or have nothing before them.

        A table that an operator has built anew is no server's to go on with, and nobody reads it yet.
        """
        before, self._stood = self._stood, {}
        problems, floor = [], (await self._log.head()).floor
        by_hand = built_by_hand(await self._store.views())
        for reader in await roster(self._store, self._services):
            if not (reader.declared is False or reader.is_inline or reader.is_replaced or reader.name in by_hand):
                problems += await self._problems(reader, before, floor)
        return "; ".join(problems) or None

    async def _problems(self, reader: Reader, before: dict[tuple[str, int], _Stood], floor: Position) -> list[str]:
        problems, now = [], self._clock.monotonic()
        for part in partitions_of(reader):
            if part.checkpoint is not None and part.at < floor and not part.is_paused:
                told = f"entries up to {floor} were removed that {reader.name} had not read"
                is_beside, view = await takes_a_place(self._store, reader), reader.name.partition("@")[0]
                return [
                    f"{told}: `tidings {f'views rebuild {view}' if is_beside else f'consumers begin {reader.name}'}`"
                ]
            page = await self._log.read(after=max(part.at, floor), limit=1, where=part.where)
            if not page.entries or part.is_paused:
                continue
            name, age = (reader.name, part.number), (self._clock.now_us() - page.entries[0].recorded) / 1_000_000
            stood = before.get(name)
            if stood is None or stood.position != part.at:
                stood = _Stood(part.at, now)
            self._stood[name] = stood
            if now - stood.since >= SECONDS:
                problems.append(f"{reader.name} has stood at {part.at} for {now - stood.since:.0f} s")
            elif age >= SECONDS and not is_held(part.checkpoint, self._clock):
                problems.append(f"no process carries {reader.name}, whose next entry is {age:.0f} s old")
        return problems
