"""How far a copy is proved right, and but for what."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TypeVar

import msgspec

from tidings.reconciliation.kept.coding import UNREADABLE, Dirty, Suspect, Waiting, known_of, stood_of
from tidings.reconciliation.kept.excepting import EXCEPTIONS_MAX, STOOD, bounds_told
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.listing import Scope
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.stamps import margin, may_be_ahead, surely_ahead
from tidings.reconciliation.rules.times import period_of
from tidings.store.note_store import NoteStore

S = TypeVar("S", Suspect, Dirty, Waiting)
DECIDED = frozenset({"absent", "conflict", "foreign", "parked"})
"""Reasons that no read takes away, but somebody who decides."""
APPLY_US = 1_000_000
"""How long the copy may take to have what was appended; what takes longer is told as its consumer's lag."""


@dataclass(frozen=True, slots=True)
class Excepted:
    """A key of which nothing is said. `since`: µs since 1970."""

    key: str
    reason: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What may be told of a copy. `upserts`: whatever existed by then, and was not deleted since, is shown as it was at
    that moment or later; `deletes`: what is absent, too. µs since 1970, None: never proved.

    `began`: when the scope was run first, None if it was not. `expected`: how old `deletes` may become before the next
    run has proved it anew, µs; None where nothing runs by itself. `furthest`: up to when anything is known of any part;
    `may_be_ahead`: how far that may be ahead of our clock, µs, as the provider's own is; `provider_ahead`: how far that
    one is for certain, beyond its declared skew. `is_stopped`: there are more exceptions than `EXCEPTIONS_MAX`, so both
    stand where they stood before there were.
    """

    scope: str
    upserts: int | None
    deletes: int | None
    exceptions: tuple[Excepted, ...]
    record: Record
    run: Run | None
    began: int | None = None
    expected: int | None = None
    furthest: int = NEVER
    is_stopped: bool = False
    may_be_ahead: int = 0
    provider_ahead: int = 0

    def staleness(self, now: int) -> int | None:
        """Return how old `deletes` is, µs; as old as the first run while nothing was proved. Below 0: see `ahead`."""
        since = self.began if self.deletes is None else self.deletes
        return None if since is None else now - since

    def ahead(self, now: int) -> int:
        """Return how far the time is off, µs, up to which something is taken for known; 0 where the provider's clock
        may be as far.

        Else a clock was wrong, the provider's or ours: until then events are taken for late, and rows for old.
        """
        off = self.furthest - now
        return off if off > self.may_be_ahead else 0

    def is_overdue(self, now: int) -> bool:
        """Say whether it is twice as old as it should become: runs fail, prove nothing, or are not made."""
        age = self.staleness(now)
        return self.expected is not None and age is not None and age > 2 * self.expected


@dataclass(frozen=True, slots=True)
class Ran:
    """What is known of the runs of a scope. `last`: the last one that has ended; `began`: when the first one did;
    `has_proved`: what is proved is of what is compared now, and of no other adapter or view."""

    record: Record
    last: Run | None
    began: int | None
    has_proved: bool = True


async def bounds_of(notes: NoteStore, scope: Scope, ran: Ran) -> Bounds:
    """Return what may be told now. Nothing is locked: what is told is read before what it is told but for, which may
    have become less since, and so may no other key be."""
    name = scope.name
    floors = await notes.notes_between(name, "floor")
    exceptions = [Excepted(each.key, "suspect", each.since) for each in await _each(notes, name, "suspect", Suspect)]
    dirty = await _each(notes, name, "dirty", Dirty)
    exceptions += [Excepted(each.key, _reason(each), each.since) for each in dirty if each.is_given_up]
    exceptions += [Excepted(each.key, "parked", each.since) for each in await _each(notes, name, "parked", Waiting)]
    is_stopped = len(exceptions) > EXCEPTIONS_MAX
    upserts, deletes = await _stood(notes, name) if is_stopped else bounds_told(floors)
    began = ran.began
    if not ran.has_proved:
        began, upserts, deletes = max(began or NEVER, deletes), NEVER, NEVER
    return Bounds(
        scope=name,
        upserts=None if upserts == NEVER else upserts,
        deletes=None if deletes == NEVER else deletes,
        is_stopped=is_stopped,
        may_be_ahead=may_be_ahead(ran.record.line, scope.listing.facts),
        provider_ahead=surely_ahead(ran.record.line, scope.listing.facts),
        exceptions=tuple(sorted(exceptions, key=lambda each: each.key)),
        record=ran.record,
        run=ran.last,
        began=None if began == NEVER else began,
        expected=_expected(scope, ran.last),
        furthest=max((max(astuple(known_of(body))) for _, body in floors), default=NEVER),
    )


def _reason(dirty: Dirty) -> str:
    """Return why nothing is said of a key of which no more is to be read."""
    return dirty.reason if dirty.reason in DECIDED else UNREADABLE


def _expected(scope: Scope, run: Run | None) -> int | None:
    """Return how old a bound becomes: a period, a run, what a read may lag, and what the copy takes."""
    if scope.every is None:
        return None
    facts = scope.listing.facts
    took = 0 if run is None or run.ended is None else run.ended - run.started
    now = 0 if run is None else run.started
    return period_of(scope.every, now) + took + margin(facts) + facts.tick_us + APPLY_US


async def _stood(notes: NoteStore, scope: str) -> tuple[int, int]:
    rows = await notes.notes_between(scope, STOOD)
    return stood_of(rows[0][1]) if rows else (NEVER, NEVER)


async def _each(notes: NoteStore, scope: str, kind: str, type: type[S]) -> list[S]:
    return [msgspec.msgpack.decode(body, type=type) for _, body in await notes.notes_between(scope, kind)]
