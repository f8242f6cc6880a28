"""A model of a provider, its webhooks and its lists, that drives the rules: events are merged as they arrive.

Times are µs from the start of a run. A state of a key is its index in the key's history, so that which of two is newer
is exact, and ticks are only what the rules may see.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count

from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import NEVER, UNPROVED, Floors, Known
from tidings.reconciliation.rules.judging import DELETE, PUT, Read, Verdict, floor_of, gone, is_absent, judge
from tidings.reconciliation.rules.merging import Merge, is_tie, merged
from tidings.reconciliation.rules.places import START, Place, Range
from tidings.reconciliation.rules.proofs import Proof
from tidings.store.rows import Rank

MS, SECOND = 1_000, 1_000_000
KEYS, PAGE = 12, 4
CHANGES_END, END = 90 * SECOND, 120 * SECOND


@dataclass(frozen=True, slots=True)
class Proofs:
    """Those that wait, and what may be told."""

    floors: Floors = UNPROVED
    waiting: tuple[Proof, ...] = ()

    def opened(self, proof: Proof) -> Proofs:
        """Add a proof; what of it waits for nothing is told at once."""
        return replace(self, waiting=(*self.waiting, proof))._told()

    def answered(self, question: str) -> Proofs:
        """Take a question as answered."""
        return replace(self, waiting=tuple(each.without(question) for each in self.waiting))._told()

    def _told(self) -> Proofs:
        floors = self.floors
        for each in self.waiting:
            floors = each.show(floors)
        return Proofs(floors, tuple(each for each in self.waiting if not each.is_told))


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A provider, and which rules are kept."""

    capability: Capability = Capability.VERSIONED
    tick: int = SECOND
    lag: int = 0
    margin: int = 0
    stamps_at_write: bool = False
    has_floor: bool = True
    floors_after_suspects: bool = False
    sees_overlap: bool = True


@dataclass
class Outcome:
    """What a run came to. `violations`: of `checks`, where what was told was not so."""

    checks: int = 0
    violations: int = 0
    back: int = 0
    is_wrong: bool = False


@dataclass
class Truth:
    """What a key went through: (time, kind) by index."""

    history: list[tuple[int, int]] = field(default_factory=list)

    def index(self, at: int) -> int | None:
        """Return the last change made by then."""
        found = None
        for index, (time, _) in enumerate(self.history):
            if time <= at:
                found = index
        return found

    def kind(self, index: int | None) -> int:
        return DELETE if index is None else self.history[index][1]


@dataclass
class Held:
    """What the mirror has of a key."""

    rank: Rank
    index: int | None


class Model:
    """One run of 120 s, and two clean passes after it."""

    def __init__(self, variant: Variant, seed: int) -> None:
        self.v = variant
        self.draw = random.Random(seed)
        self.now = 0
        self.heap: list[tuple[int, int, Callable[[], None]]] = []
        self.numbers = count()
        self.tickets = count(1)
        self.truth = [Truth() for _ in range(KEYS)]
        self.mirror: dict[int, Held] = {}
        self.key_floors: dict[int, int] = {}
        self.proofs = Proofs()
        self.outcome = Outcome()
        self.reading: dict[int, bool] = {}  # by key: whether one more read is wanted after the one under way
        self.ended: dict[int, int] = {}  # by key: the last ticket at the time its last read ended
        self.last_ticket = 0

    def run(self) -> Outcome:
        self._later(self._gap(400 * MS), self._change)
        for at in range(5 * SECOND, END, 15 * SECOND):
            self._at(at, self._pass)
        for at in range(700 * MS, END + 120 * SECOND, 700 * MS):
            self._at(at, self._check)
        for after in (60, 90):
            self._at(END + after * SECOND, self._pass)
        while self.heap:
            self.now, _, action = heappop(self.heap)
            action()
        self.outcome.is_wrong = any(self._shown(key) != self._true(key) for key in range(KEYS))
        return self.outcome

    # The provider.

    def _change(self) -> None:
        if self.now > CHANGES_END:
            return
        self._later(self._gap(400 * MS), self._change)
        key = self.draw.randrange(KEYS)
        truth = self.truth[key]
        is_live = truth.kind(truth.index(self.now)) == PUT
        truth.history.append((self.now, DELETE if is_live and self.draw.random() < 0.3 else PUT))
        index = len(truth.history) - 1
        if self.draw.random() < 0.25:
            return
        for _ in range(2 if self.draw.random() < 0.25 else 1):
            slow = self.draw.random() < 0.2
            delay = self.draw.uniform(0, 40 * SECOND) if slow else self.draw.expovariate(1 / (0.8 * SECOND))
            self._later(int(delay), lambda: self._webhook(key, index))

    def _read_at(self) -> int:
        """Return the moment whose truth a read shows that is made now."""
        return self.now - (self.draw.randrange(self.v.lag + 1) if self.v.lag else 0)

    def _tick(self, time: int) -> int:
        return time // self.v.tick * self.v.tick

    def _as_of(self, start: int) -> int:
        return ((start - self.v.margin) // self.v.tick - 1) * self.v.tick

    # Webhooks.

    def _webhook(self, key: int, index: int) -> None:
        if self.v.capability is Capability.BARE:
            self._ask(key)
            return
        time, kind = self.truth[key].history[index]
        rank = Rank(self._tick(time), 0, kind, 0 if kind == DELETE else _hash(key, index))
        if self.v.has_floor:
            decided = merged(
                rank,
                self._known(key),
                self.key_floors.get(key, NEVER),
                is_known=key in self.mirror,
                latest=self.now + self.v.tick,
            )
            if decided is Merge.LATE_UNKNOWN:
                self._ask(key)
            if decided is not Merge.BY_RANK:
                return
        held = self.mirror.get(key)
        if is_tie(rank, held and held.rank):
            self._later(2 * self.v.tick + self.v.margin, lambda: self._ask(key))
        self._merge(key, rank, index)

    def _merge(self, key: int, rank: Rank, index: int | None) -> None:
        held = self.mirror.get(key)
        if held is not None and rank <= held.rank:
            return
        if held is not None and held.index is not None and index is not None and index < held.index:
            self.outcome.back += 1
        self.mirror[key] = Held(rank, index)

    # Whole lists.

    def _pass(self) -> None:
        start = 0
        for page in range(KEYS // PAGE):
            self._later(start, lambda page=page: self._page(page))  # type: ignore[misc]
            start += 600 * MS + self.draw.randrange(500 * MS)

    def _page(self, page: int) -> None:
        start, ticket = self.now, self._ticket()
        keys = range(page * PAGE, (page + 1) * PAGE)

        def read() -> None:
            rows = {key: self.truth[key].index(self._read_at()) for key in keys}
            applied = self.draw.randrange(1, 400 * MS) + self.draw.randrange(2 * SECOND)
            self._later(applied, lambda: self._apply(page, rows, start, ticket))

        self._later(self.draw.randrange(1, 400 * MS), read)

    def _apply(self, page: int, rows: dict[int, int | None], start: int, ticket: int) -> None:
        as_of = self._tick(self.now) if self.v.stamps_at_write else self._as_of(start)
        if self.v.stamps_at_write and self.v.capability is Capability.BARE:
            ticket = self._ticket()
        last = page == KEYS // PAGE - 1
        range_ = Range(START if page == 0 else _place(page * PAGE - 1), None if last else _place((page + 1) * PAGE - 1))
        asked = {key for key, index in rows.items() if not self._judge(key, index, as_of, ticket)}
        if self.v.has_floor and not self.v.floors_after_suspects:
            self._raise(range_, as_of)
        questions = frozenset(map(str, asked))
        self.proofs = self.proofs.opened(Proof(range_, as_of, puts=questions, deletes=questions))
        for key in asked:
            self._later(self.draw.randrange(1, 500 * MS), lambda key=key: self._ask(key, as_of))  # type: ignore[misc]
        if self.v.floors_after_suspects:
            self._later(1 * SECOND, lambda: self._raise(range_, as_of))
        for key in rows:
            self.ended[key] = self.last_ticket

    def _judge(self, key: int, index: int | None, as_of: int, ticket: int) -> bool:
        """Judge what a read shows of a key; False if the key has to be asked for."""
        held, capability = self.mirror.get(key), self.v.capability
        is_overlapped = self.v.sees_overlap and (key in self.reading or self.ended.get(key, 0) >= ticket)
        if self.truth[key].kind(index) == DELETE:
            return held is None or not is_absent(held.rank, as_of=as_of, ticket=ticket, capability=capability)
        assert index is not None
        time, _ = self.truth[key].history[index]
        read = Read(
            hash=_hash(key, index), as_of=as_of, version=self._tick(time), ticket=ticket, is_overlapped=is_overlapped
        )
        base = None if held is None else held.rank
        floor = floor_of(self._known(key), self.key_floors.get(key, NEVER), base)
        found = judge(read, base, floor, capability)
        if found.verdict is Verdict.READ_AGAIN:
            return False
        if found.rank is not None:
            self._merge(key, found.rank, index)
        return True

    def _raise(self, range_: Range, as_of: int) -> None:
        floors = self.proofs.floors.raised(range_, Known(put=as_of, delete=as_of))
        self.proofs = Proofs(floors, self.proofs.waiting)

    # Single keys, one read of each at a time.

    def _ask(self, key: int, least: int = NEVER) -> None:
        if key in self.reading:
            self.reading[key] = True
            return
        self.reading[key] = False
        start, ticket = self.now, self._ticket()
        leg = 300 * MS if self.v.capability is Capability.BARE else 100 * MS

        def read() -> None:
            index = self.truth[key].index(self._read_at())
            self._later(self.draw.randrange(1, leg), lambda: self._answer(key, index, start, ticket, least))

        self._later(self.draw.randrange(1, leg), read)

    def _answer(self, key: int, index: int | None, start: int, ticket: int, least: int) -> None:
        again = self.reading.pop(key)
        as_of = self._tick(self.now) if self.v.stamps_at_write else self._as_of(start)
        if self.v.stamps_at_write and self.v.capability is Capability.BARE:
            ticket = self._ticket()
        held = self.mirror.get(key)
        is_bare = self.v.capability is Capability.BARE
        if is_bare and self.v.sees_overlap and self.ended.get(key, 0) >= ticket:
            again = True
        elif self.truth[key].kind(index) == PUT:
            again = not self._judge(key, index, as_of, ticket) or again
        elif held is not None and held.rank.kind == PUT:
            at = max(as_of, least)
            if is_absent(held.rank, as_of=at, ticket=ticket, capability=self.v.capability):
                self._merge(key, gone(at, ticket, self.v.capability), index)
            else:
                self._later(self.v.tick, lambda: self._ask(key, least))
                self.ended[key] = self.last_ticket
                return
        self.ended[key] = self.last_ticket
        if again:
            self._later(1, lambda: self._ask(key, least))
            return
        if self.v.has_floor and not is_bare:
            self.key_floors[key] = max(self.key_floors.get(key, NEVER), as_of)
        self.proofs = self.proofs.answered(str(key))

    # What is told, and whether it is so.

    def _check(self) -> None:
        for key in range(KEYS):
            known = self._known(key)
            told = min(known.shown_put, known.shown_delete)
            if told == NEVER:
                continue
            self.outcome.checks += 1
            if not self._holds(key, told + self.v.tick - 1):
                self.outcome.violations += 1

    def _holds(self, key: int, at: int) -> bool:
        truth, shown = self.truth[key], self._shown(key)
        least = truth.index(at)
        if least is None:
            return True
        if shown is not None:
            return shown >= least
        return any(kind == DELETE for time, kind in truth.history[least:] if time <= self.now)

    def _shown(self, key: int) -> int | None:
        held = self.mirror.get(key)
        return None if held is None or held.rank.kind == DELETE else held.index

    def _true(self, key: int) -> int | None:
        index = self.truth[key].index(self.now)
        return None if self.truth[key].kind(index) == DELETE else index

    # Small things.

    def _known(self, key: int) -> Known:
        return self.proofs.floors.at(_place(key))

    def _ticket(self) -> int:
        self.last_ticket = next(self.tickets)
        return self.last_ticket

    def _gap(self, mean: int) -> int:
        return int(self.draw.expovariate(1 / mean))

    def _at(self, time: int, action: Callable[[], None]) -> None:
        heappush(self.heap, (time, next(self.numbers), action))

    def _later(self, after: int, action: Callable[[], None]) -> None:
        self._at(self.now + after, action)


def _place(key: int) -> Place:
    return (key,)


def _hash(key: int, index: int) -> int:
    return (key * 7_919 + index * 104_729 + 1) * 2_654_435_761 % 2**61
