"""The reaction that keeps the copy: each event of a scope merged by its rank, or known already, or a reason to ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from tidings.errors import PositionNotReachedError
from tidings.events.declaration import declared_class
from tidings.events.envelope import Entry
from tidings.ports import Ports
from tidings.reconciliation.copy.copying import Copying, UnreadableError, order_of
from tidings.reconciliation.copy.repairing import RANK, SCOPE, SOURCE, noted_id, rank_told
from tidings.reconciliation.copy.sound import sound_said
from tidings.reconciliation.kept.attributing import is_its_event
from tidings.reconciliation.kept.book import Book, Mirrors
from tidings.reconciliation.kept.coding import Dirty, Mirrored, content_key, key_place, place_key
from tidings.reconciliation.kept.findings import OPEN
from tidings.reconciliation.kept.records import Record
from tidings.reconciliation.listing import CopyScope, Hint, Snapshot
from tidings.reconciliation.rules.facts import Capability, Order, ProviderFacts, micros
from tidings.reconciliation.rules.floors import NEVER, Known
from tidings.reconciliation.rules.judging import DELETE, PUT, Kind
from tidings.reconciliation.rules.merging import Merge, is_tie, merged
from tidings.reconciliation.rules.places import place
from tidings.reconciliation.rules.stamps import latest
from tidings.store.rows import Rank, Row, ViewTable
from tidings.store.unit import Unit
from tidings.views.ranks import time_rank


def mirror_name(scope: CopyScope) -> str:
    """Return the name of the consumer that keeps the copy."""
    return f"{scope.service}.{scope.name}"


@dataclass(slots=True)
class _Page:
    """What entries come to, before it is written."""

    mirror: Mirrors
    record: Record
    rows: dict[bytes, Row] = field(default_factory=dict)
    touched: dict[bytes, Mirrored] = field(default_factory=dict)
    places: dict[str, bytes] = field(default_factory=dict)
    late: list[_Told] = field(default_factory=list)
    dirty: dict[str, Dirty] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    tombstones: dict[bytes, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Told:
    """What one entry says of an item."""

    entry: Entry
    snapshot: Snapshot
    rank: Rank
    at: bytes
    values: tuple[Any, ...]
    is_repair: bool


class Mirror:
    """See `tidings.consumers.reaction.Reaction`. One at a time carries a scope, so that its floors are certain."""

    spans = True
    partitions = 1

    def __init__(
        self,
        scope: CopyScope,
        *,
        copying: Callable[[bytes], Copying],
        reads: Callable[[Entry], Any],
        table: Callable[[], Awaitable[ViewTable | None]],
        ports: Ports,
    ) -> None:
        """`copying`: given the scope's secret; `reads`: an entry as an event of a class that this release has; `table`:
        the one that the copy is read from."""
        self.name = mirror_name(scope)
        self.types = frozenset(declared_class(each).type for each in scope.events)
        self._scope = scope.name
        self._listing = scope.listing
        self._copying = copying
        self._reads = reads
        self._table = table
        self._ports = ports

    @property
    def _facts(self) -> ProviderFacts:
        return self._listing.facts

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        """Merge the entries. `gated`: they were settled before, so that what was decided then holds."""
        await unit.hold(self._scope)
        book = Book(unit, self._scope)
        record = await book.opened(self._ports.random)
        copying = self._copying(record.secret)
        said = [(entry, self._said(entry)) for entry in entries]
        known = await self._places(book, said)
        told: list[_Told] = []
        page = _Page(Mirrors(), record)
        for entry, what in said:
            if isinstance(what, Hint):
                self._ask(page, what.key, "hint", entry.recorded)
            elif what is not None:
                self._tell(page, told, entry, what, copying, known)
        page.mirror = await book.mirrored({each.at for each in told})
        decided = await book.is_late([each.entry.position for each in told]) if gated else frozenset()
        for each in told:
            if gated and each.entry.position in decided:
                continue
            if each.is_repair or gated or await self._is_new(book, page, each):
                self._merge(page, each)
        if not gated:
            await self._attribute(book, page, [each for each in told if not each.is_repair], known)
        await self._write(unit, book, page, entries[-1].position)

    def _said(self, entry: Entry) -> Snapshot | Hint | None:
        envelope = entry.envelope
        if envelope.source == SOURCE and envelope.attributes.get(SCOPE) != self._scope:
            return None
        return sound_said(self._listing.read(self._reads(entry), envelope))

    async def _places(self, book: Book, said: Sequence[tuple[Entry, Snapshot | Hint | None]]) -> Mapping[str, bytes]:
        if self._facts.order is Order.KEY:
            return {}
        return await book.places({each.key for _, each in said if each is not None})

    def _tell(
        self,
        page: _Page,
        told: list[_Told],
        entry: Entry,
        snapshot: Snapshot,
        copying: Copying,
        known: Mapping[str, bytes],
    ) -> None:
        order = order_of(snapshot, by_key=self._facts.order is Order.KEY)
        at = place_key(place(order)) if order is not None else known.get(snapshot.key, page.places.get(snapshot.key))
        is_repair = entry.envelope.source == SOURCE
        if at is None or (self._facts.capability is Capability.BARE and not is_repair):
            self._ask(page, snapshot.key, "place" if at is None else "hint", entry.recorded)
            return
        try:
            values, hash, when = copying.told(snapshot, at=time_rank(entry))
        except UnreadableError:
            self._ask(page, snapshot.key, "unreadable", entry.recorded)
            return
        kind = DELETE if snapshot.state is None else PUT
        rank = Rank(when, 0, kind, hash)
        if is_repair:
            rank = rank_told(str(entry.envelope.attributes[RANK]), kind=kind, hash=hash)
        if order is not None and self._facts.order is not Order.KEY:
            page.places[snapshot.key] = at
        told.append(_Told(entry, snapshot, rank, at, values, is_repair))

    async def _is_new(self, book: Book, page: _Page, told: _Told) -> bool:
        """Decide about an event that no run has caused; write down what was decided."""
        known: Known = await book.floor_at(key_place(told.at))
        floor = await book.key_floor(told.at)
        held = page.touched.get(told.at) or page.mirror.of(told.at)
        decided = merged(
            told.rank,
            known,
            NEVER if floor is None else floor,
            is_known=held is not None,
            latest=latest(self._ports.clock.now_us(), self._facts),
        )
        if decided is Merge.BY_RANK:
            return True
        if decided is Merge.AHEAD:
            self._ask(page, told.snapshot.key, "ahead", told.entry.recorded)
            return False
        page.late.append(told)
        if decided is Merge.LATE_UNKNOWN:
            self._ask(page, told.snapshot.key, "late", told.entry.recorded)
        return False

    def _merge(self, page: _Page, told: _Told) -> None:
        held = page.touched.get(told.at) or page.mirror.of(told.at)
        if told.is_repair:
            page.repaired.append(told.entry.envelope.id)
        elif is_tie(told.rank, None if held is None else held.rank):
            self._ask(page, told.snapshot.key, "tie", told.rank.at + 2 * self._facts.tick_us)
        if held is not None and told.rank <= held.rank:
            return
        was = held is not None and held.rank.kind == PUT
        live = page.record.live + (told.rank.kind == PUT) - was
        page.record = replace(page.record, live=live, merges=page.record.merges + (not told.is_repair))
        if told.rank.kind == DELETE:
            page.tombstones[told.at] = told.entry.recorded
        elif held is not None and not was:
            page.tombstones[told.at] = None
        page.touched[told.at] = Mirrored(told.snapshot.key, told.at, told.rank)
        page.rows[told.at] = Row(told.values, told.rank, told.entry.position)

    def _ask(self, page: _Page, key: str, reason: str, at: int) -> None:
        page.dirty.setdefault(key, Dirty(key=key, reason=reason, since=at, due=at))

    async def _write(self, unit: Unit, book: Book, page: _Page, position: int) -> None:
        if page.rows:
            table = await self._table()
            if table is None:
                raise PositionNotReachedError(f"the table of {self.name} is being made: try again when it is")
            await unit.put(table, list(page.rows.values()))
        await book.write_mirror(dict(page.touched))
        await book.write_places(dict(page.places))
        await book.write_tombstones(page.tombstones)
        await book.write_late([each.entry.position for each in page.late])
        if page.late:
            self._ports.points.at("reconcile:late-recorded")
        there = await book.dirty_of(page.dirty)
        await book.write_dirty({key: _once_more(there.get(key), each) for key, each in page.dirty.items()})
        for id in page.repaired:
            await self._close(book, id)
        await book.write(replace(page.record, mirrored=position, late=page.record.late + len(page.late)))

    async def _close(self, book: Book, id: str) -> None:
        finding = await book.finding(id)
        if finding is not None and finding.state in OPEN:
            await book.write_findings([replace(finding, state="merged")])
        if finding is not None and finding.state == "parked":
            noted = await book.finding(noted_id(Kind.PARKED, id))
            await book.write_findings([] if noted is None else [replace(noted, state="merged")])
            await book.free(finding)
        await book.answer(f"f:{id}")

    async def _attribute(self, book: Book, page: _Page, told: Sequence[_Told], known: Mapping[str, bytes]) -> None:
        """An event that came after its repair was late, and not lost. Note how long events take."""
        came: dict[bytes, tuple[Rank | None, int]] = {
            content_key(each.at, each.rank): (each.rank, each.entry.recorded) for each in reversed(told)
        }
        if self._facts.capability is Capability.BARE:
            places = {
                key: place_key((key,)) if self._facts.order is Order.KEY else known.get(key) for key in page.dirty
            }
            came = {at: (None, page.dirty[key].since) for key, at in places.items() if at is not None}
        found = [(each, *came[content]) for content, each in (await book.awaited(came)).items()]
        late = [
            replace(each, cause="late", arrived=recorded)
            for each, rank, recorded in found
            if rank is None or is_its_event(each, rank)
        ]
        await book.came(late)
        horizon = micros(self._facts.redelivery_horizon)
        took = [each.entry.recorded - each.rank.at for each in told]
        delays = page.record.delays.more(each for each in took if each <= horizon).recent() if took else None
        lates = page.record.lates.more((each.arrived or 0) - (each.changed or each.since) for each in late)
        page.record = replace(
            page.record, delays=delays or page.record.delays, lates=lates if late else page.record.lates
        )


def _once_more(kept: Dirty | None, new: Dirty) -> Dirty:
    """Return what is to be read, also if it is being read right now: that read may be too old to show it."""
    if kept is None or kept.is_given_up:
        return new
    return replace(kept, since=max(kept.since + 1, new.since), due=max(kept.due, new.due) if kept.tries else new.due)
