"""How far each consumer is behind the log, and what it had to set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tidings.events.filter import Filter
from tidings.events.identity import SLOTS
from tidings.log.driver import Head, Position
from tidings.log.log import Log
from tidings.operations.counts import count
from tidings.operations.roster import Reader, roster
from tidings.ports import Clock, is_gone
from tidings.services.service import Service
from tidings.store.claims import Checkpoint
from tidings.store.driver import StoreDriver
from tidings.store.parking import Parked

EXACT_UPTO = 10_000

State = Literal["running", "stopped", "paused", "expired", "new", "inline", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """One partition. `entries` are exact up to `EXACT_UPTO`, else `at_least`; `seconds`: the first one's age.

    Entries that may not be read yet are counted, and have no age.
    """

    part: int
    checkpoint: Position
    entries: int
    at_least: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerLag:
    """One consumer.

    `state` "running": a process holds its lease, or asks for it; "stopped": none does; "new": it has never run;
    "expired": entries up to `expired` were removed from the log before it had read them, and it waits to be told;
    "inline": appends fold for it; "replaced": a newer table took the place of the one it folds. The last two have no
    lag and no partitions.
    One that is "paused" may have `expired`, too: it is found so once it is resumed.
    `declared` as in `Reader`; with `types` None every entry was counted, since nobody knows what it reads.
    `parked`: subjects that wait, `dead` of them for an operator; `dead_letters`: the entries of all of them.
    """

    name: str
    state: State
    declared: bool | None
    types: frozenset[str] | None
    head: Position
    partitions: tuple[PartitionLag, ...]
    paused: str | None
    expired: Position | None
    parked: int
    dead: int
    dead_letters: int

    @property
    def checkpoint(self) -> Position | None:
        """The lowest of its partitions' checkpoints."""
        return min((partition.checkpoint for partition in self.partitions), default=None)

    @property
    def retrying(self) -> int:
        """The subjects that are tried again by themselves."""
        return self.parked - self.dead

    @property
    def entries(self) -> int:
        return sum(partition.entries for partition in self.partitions)

    @property
    def at_least(self) -> bool:
        return any(partition.at_least for partition in self.partitions)

    @property
    def seconds(self) -> float:
        return max((partition.seconds for partition in self.partitions), default=0.0)


@dataclass(frozen=True, slots=True)
class Share:
    """A partition of a consumer: which entries are its own, and where it stands. `checkpoint`: None if it never ran."""

    number: int
    where: Filter
    checkpoint: Checkpoint | None

    @property
    def at(self) -> Position:
        return 0 if self.checkpoint is None else self.checkpoint.position

    @property
    def is_paused(self) -> bool:
        return self.checkpoint is not None and self.checkpoint.paused is not None


def partitions_of(reader: Reader) -> tuple[Share, ...]:
    """Return the consumer's partitions; one that stands before the first entry if it has never run."""
    if not reader.checkpoints:
        return (Share(0, Filter(types=reader.types), None),)
    count, shares = len(reader.checkpoints), []
    for part, checkpoint in sorted(reader.checkpoints.items()):
        slots = ((part * SLOTS // count, (part + 1) * SLOTS // count),)
        shares.append(Share(part, Filter(types=reader.types, slots=slots if count > 1 else None), checkpoint))
    return tuple(shares)


def is_held(checkpoint: Checkpoint | None, clock: Clock) -> bool:
    """Say whether a process that may well be alive holds the partition's lease."""
    if checkpoint is None or checkpoint.owner is None or checkpoint.until is None:
        return False
    return checkpoint.until > clock.now_us() and not is_gone(checkpoint.owner)


async def lag(
    log: Log, store: StoreDriver, clock: Clock, services: Sequence[Service] | None
) -> tuple[ConsumerLag, ...]:
    """Return every consumer's lag, by name. `services`: those of the application at hand, None if there is none."""
    floor = (await log.head()).floor
    parked: dict[str, list[Parked]] = {}
    for each in await store.parked():
        parked.setdefault(each.consumer, []).append(each)
    readers = await roster(store, services)
    # The head is read after the checkpoints, and the floor before them: while consumers run, a checkpoint would stand
    # beyond an older head, as if tables of different moments were put together, or below a newer floor.
    measured = _Measuring(log, store, clock, replace(await log.head(), floor=floor))
    return tuple([await measured.consumer(reader, parked.get(reader.name, ())) for reader in readers])


class _Measuring:
    def __init__(self, log: Log, store: StoreDriver, clock: Clock, head: Head) -> None:
        self._log = log
        self._store = store
        self._clock = clock
        self._head = head.position
        self._floor = head.floor

    async def consumer(self, reader: Reader, parked: Sequence[Parked]) -> ConsumerLag:
        carries, counts = not (reader.is_inline or reader.is_replaced), count(parked)
        has_expired = carries and any(each.position < self._floor for each in reader.checkpoints.values())
        return ConsumerLag(
            name=reader.name,
            state=await self._state(reader, has_expired=has_expired),
            declared=reader.declared,
            types=reader.types,
            head=self._head,
            partitions=await self._partitions(reader) if carries else (),
            paused=next((each.paused for each in reader.checkpoints.values() if each.paused is not None), None),
            expired=self._floor if has_expired else None,
            parked=counts.parked,
            dead=counts.dead,
            dead_letters=counts.letters,
        )

    async def _state(self, reader: Reader, *, has_expired: bool) -> State:
        if reader.is_inline:
            return "inline"
        if reader.is_replaced:
            return "replaced"
        if not reader.checkpoints:
            return "new"
        if any(each.paused is not None for each in reader.checkpoints.values()):
            return "paused"
        if has_expired:
            return "expired"
        if any(is_held(each, self._clock) for each in reader.checkpoints.values()):
            return "running"
        return "running" if await self._store.asking(reader.name) else "stopped"

    async def _partitions(self, reader: Reader) -> tuple[PartitionLag, ...]:
        return tuple([await self._partition(part.number, part.at, part.where) for part in partitions_of(reader)])

    async def _partition(self, part: int, checkpoint: Position, where: Filter) -> PartitionLag:
        counted = await self._log.count(after=checkpoint, where=where, most=EXACT_UPTO + 1)
        return PartitionLag(
            part=part,
            checkpoint=checkpoint,
            entries=min(counted, EXACT_UPTO),
            at_least=counted > EXACT_UPTO,
            seconds=await self._seconds(checkpoint, where) if counted else 0.0,
        )

    async def _seconds(self, after: Position, where: Filter) -> float:
        """Return the age of the first entry; 0 if it may not be read yet: a lower position is open."""
        after = max(after, self._floor)
        while after < self._head:
            page = await self._log.read(after=after, limit=1, where=where)
            if page.entries:
                return max(0.0, (self._clock.now_us() - page.entries[0].recorded) / 1_000_000)
            after = max(page.upto, after + 1)
        return 0.0
