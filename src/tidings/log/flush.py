"""What one flush may hold, and when a failed one is sent again. Pure but for the queue it takes from.

A driver judges a flush by sets, so it must hold each id once and nothing that depends on its own outcome.
"""

from __future__ import annotations

import random
from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Sequence

import msgspec

from tidings.log.driver import Receipt, Write

ENVELOPES = 1_000
BYTES = 4 * 1024 * 1024
LOOK_AHEAD = 1_000

Identity = tuple[str, str]


class Queued(msgspec.Struct, frozen=True, eq=False):
    """A write that waits for its receipt. `identities`: its (source, id) pairs; `begun`, `deadline`: monotonic time."""

    write: Write
    identities: frozenset[Identity]
    size: int
    deadline: float
    receipt: Future[Receipt]
    begun: float = 0.0

    @property
    def is_answered(self) -> bool:
        """Whether nobody waits for it any more: it was answered, its time is up, or its caller was cancelled."""
        return self.receipt.done()


def queued(write: Write, identities: frozenset[Identity], *, size: int, begun: float, seconds: float) -> Queued:
    """Return a write of the running loop that was begun at this monotonic time, and waits for so many seconds."""
    return Queued(write, identities, size, begun + seconds, get_running_loop().create_future(), begun)


class UnderWay:
    """A flush that has no answer yet. What it holds is looked at only if another one is put together meanwhile.

    `items`: those who wait for it; none if it is one write that its caller keeps `alone`.
    """

    __slots__ = ("_alone", "_held", "items")

    def __init__(self, items: Sequence[Queued], *, alone: Write | None = None) -> None:
        self.items = items
        self._alone = alone
        self._held: tuple[frozenset[Identity], frozenset[str]] | None = None

    def meets(self, identities: frozenset[Identity], subjects: set[str]) -> bool:
        """Say whether one of these identities or subjects is in it."""
        if self._held is None:
            writes = [item.write for item in self.items] if self._alone is None else [self._alone]
            self._held = (
                frozenset([(envelope.source, envelope.id) for write in writes for envelope in write.envelopes]),
                frozenset().union(*map(subjects_of, writes)),
            )
        return not (self._held[0].isdisjoint(identities) and self._held[1].isdisjoint(subjects))


def take(queue: deque[Queued], under_way: Sequence[UnderWay] = ()) -> tuple[list[Queued], list[Queued]]:
    """Remove from the queue, and return in order, what the next flush holds, and what nobody waits for any more.

    At most 1,000 envelopes and 4 MiB, or one larger write. Each id once: a repeat stays for the next flush, to be
    judged against what was kept. A write with expectations shares no subject with another one, one with a condition
    goes alone. A write that stays keeps the later ones of its subjects behind it. What shares an id or a subject with
    a flush that is `under_way` stays until that one has its answer: so the order of the calls is the order of the log.
    """
    flush = _Flush(under_way)
    while queue:
        item = queue.popleft()
        if item.is_answered:
            flush.left.append(item)
            continue
        if not flush.has_room_for(item):
            queue.appendleft(item)
            break
        if flush.admits(item):
            flush.add(item)
        else:
            flush.hold(item)
    queue.extendleft(reversed(flush.held))
    return flush.taken, flush.left


class _Flush:
    """A flush while it is put together. Subjects are looked at only where somebody expects something of them."""

    def __init__(self, under_way: Sequence[UnderWay]) -> None:
        self.taken: list[Queued] = []
        self.held: list[Queued] = []
        self.left: list[Queued] = []
        self._envelopes = 0
        self._size = 0
        self._identities: set[Identity] = set()
        self._subjects: set[str] | None = None
        self._guarded: set[str] = set()
        self._waiting: set[str] = set()
        self._under_way = under_way

    def has_room_for(self, item: Queued) -> bool:
        if not self.taken:
            return True
        if item.write.condition is not None or self.taken[0].write.condition is not None:
            return False
        return (
            self._envelopes + len(item.write.envelopes) <= ENVELOPES
            and self._size + item.size <= BYTES
            and len(self.held) < LOOK_AHEAD
        )

    def admits(self, item: Queued) -> bool:
        if not self._identities.isdisjoint(item.identities):
            return False
        expects = bool(item.write.expected)
        if not (expects or self._guarded or self._waiting or self._under_way):
            return True
        own = subjects_of(item.write)
        if any(other.meets(item.identities, own) for other in self._under_way):
            return False
        if not (self._guarded.isdisjoint(own) and self._waiting.isdisjoint(own)):
            return False
        return not expects or self._all_subjects().isdisjoint(own)

    def add(self, item: Queued) -> None:
        self.taken.append(item)
        self._envelopes += len(item.write.envelopes)
        self._size += item.size
        self._identities |= item.identities
        if item.write.expected:
            self._guarded |= subjects_of(item.write)
        if self._subjects is not None:
            self._subjects |= subjects_of(item.write)

    def hold(self, item: Queued) -> None:
        self.held.append(item)
        self._waiting |= subjects_of(item.write)

    def _all_subjects(self) -> set[str]:
        if self._subjects is None:
            self._subjects = set().union(*(subjects_of(item.write) for item in self.taken))
        return self._subjects


def subjects_of(write: Write) -> set[str]:
    """Return the subjects that the write has entries for, or expects something of."""
    return {envelope.subject for envelope in write.envelopes if envelope.subject is not None}.union(write.expected)


def retry_delay(attempt: int, draw: random.Random) -> float:
    """Return the seconds to wait after the failed attempt of this number, from 1: full jitter, 20 ms to 2 s."""
    return draw.uniform(0, min(2.0, 0.01 * 2.0 ** min(attempt, 16)))
