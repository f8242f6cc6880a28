"""Which partitions of a process go together, and how far: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidings.events.envelope import Entry
from tidings.events.identity import SLOTS, slot_of
from tidings.log.driver import Page, Position
from tidings.store.claims import Claim


@dataclass(frozen=True, slots=True)
class Part:
    """A claimed partition. `at`: how far it is read, which is ahead of its checkpoint where nothing was of interest.

    `is_careful`: its last owner died, so that the next entries are tried one by one.
    """

    claim: Claim
    at: Position
    is_careful: bool = False

    @property
    def is_gated(self) -> bool:
        """Whether the next entry was settled before, in a run that is now replayed."""
        return self.at < self.claim.gate


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read for a lane, oldest first: all there is for it up to `upto`. `is_full`: there may be more."""

    entries: tuple[Entry, ...]
    upto: Position
    is_full: bool

    def before(self, position: Position) -> Batch:
        """Return what of it comes before an entry; of one that is not in it, its first entry alone."""
        found = tuple(entry for entry in self.entries if entry.position < position)
        if any(entry.position == position for entry in self.entries):
            return Batch(found, position - 1, True)
        return Batch(self.entries[:1], self.entries[0].position, True)


@dataclass(frozen=True, slots=True)
class Lane:
    """Partitions that stand at the same position: one page, one unit, one transaction for all of them.

    `bound`: where to stop, because others stand there, or because what is at or below it was settled before.
    """

    parts: tuple[Part, ...]
    bound: Position | None = None

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(part.claim for part in self.parts)

    @property
    def at(self) -> Position:
        return self.parts[0].at

    @property
    def is_gated(self) -> bool:
        return self.parts[0].is_gated

    @property
    def is_careful(self) -> bool:
        return any(part.is_careful for part in self.parts)

    @property
    def is_unsettled(self) -> bool:
        """Whether a checkpoint stands behind what was read."""
        return any(part.claim.position < part.at for part in self.parts)

    @property
    def is_shared(self) -> bool:
        """Whether there are partitions besides, which another process may carry meanwhile."""
        return self.claims[0].partitions > len(self.parts)

    @property
    def slots(self) -> tuple[tuple[int, int], ...] | None:
        """The ranges of slots to read, none next to another; None for all. Partitions taken over may lie anywhere."""
        found: list[tuple[int, int]] = []
        for first, end in sorted(part.claim.slots for part in self.parts):
            if found and found[-1][1] == first:
                found[-1] = found[-1][0], end
            else:
                found.append((first, end))
        return None if found == [(0, SLOTS)] else tuple(found)

    def claim_of(self, entry: Entry) -> Claim | None:
        """Return the claim of the partition that the entry belongs to; None if it is not in this lane."""
        slot = 0 if self.parts[0].claim.partitions == 1 else _slot(entry)
        return next((claim for claim in self.claims if claim.slots[0] <= slot < claim.slots[1]), None)

    def batch(self, page: Page, *, limit: int) -> Batch:
        """Return a page of this lane's slots as far as the lane goes."""
        bound = page.upto if self.bound is None else min(self.bound, page.upto)
        entries = page.entries
        if entries and entries[-1].position > bound:
            entries = tuple(entry for entry in entries if entry.position <= bound)
        return Batch(entries, bound, len(page.entries) >= limit or bound < page.upto)

    def moved(self, to: Position) -> Lane:
        """Return the lane once its checkpoints stand here."""
        return replace(self, parts=tuple(replace(part, claim=part.claim.at(to), at=to) for part in self.parts))

    def read_to(self, at: Position) -> Lane:
        """Return the lane once it is read to here, and its checkpoints stand where they stood."""
        return replace(self, parts=tuple(replace(part, at=at) for part in self.parts))

    def trusted(self) -> Lane:
        """Return the lane once its partitions need no more care."""
        return replace(self, parts=tuple(replace(part, is_careful=False) for part in self.parts))


def next_lane(parts: Sequence[Part]) -> Lane:
    """Return the partitions to carry next: those that stand furthest behind, up to where the others stand."""
    lowest = min(part.at for part in parts)
    behind = [part for part in parts if part.at == lowest]
    is_gated = any(part.is_gated for part in behind)
    chosen = tuple(part for part in behind if part.is_gated == is_gated)
    bounds = [part.at for part in parts if part.at > lowest]
    if is_gated:
        bounds += [part.claim.gate for part in chosen]
    return Lane(chosen, min(bounds, default=None))


def _slot(entry: Entry) -> int:
    envelope = entry.envelope
    return slot_of(envelope.source, envelope.id, envelope.subject)
