"""The seam for what is written: a log driver keeps envelopes in one total order, each (source, id) once, for ever.

A driver does not retry, batch, decode, log or measure; it translates its library's errors into ours.
What it promises is tested by `tidings.conformance.log_suite`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, Protocol

import msgspec

from tidings.errors import Conflict
from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import EVERYTHING, Filter

Position = int
"""Where an entry stands: increasing, gaps allowed. Compare, never subtract; 0 stands before the first entry."""

NOTHING_EXPECTED: Mapping[str, Position] = MappingProxyType({})
NONE_KNOWN: frozenset[int] = frozenset()
Outcome = Literal["appended", "duplicate", "conflict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """No entry that matches `where` may stand after `after`, the position up to which the decision was read."""

    where: Filter
    after: Position


class Write(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one caller wants kept together, usually one envelope: all of it or nothing.

    `expected`: subject -> position of its last entry the writer saw; 0: none yet.
    """

    envelopes: tuple[Envelope, ...]
    expected: Mapping[str, Position] = NOTHING_EXPECTED
    condition: Condition | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to one write.

    `outcome` "duplicate": every envelope was already there; "appended": some may have been, and `known` holds the
    places of these among the envelopes. `positions` is parallel to the envelopes, the old position where the id was
    known; empty on conflict.
    """

    outcome: Outcome
    positions: tuple[Position, ...] = ()
    known: frozenset[int] = NONE_KNOWN
    conflict: Conflict | None = None

    def outcome_of(self, place: int) -> Outcome:
        """Return what became of the envelope at this place."""
        return "duplicate" if place in self.known else self.outcome


class Page(msgspec.Struct, frozen=True, gc=False):
    """Some entries, oldest first. All that match at or below `upto` have been returned: a checkpoint may move there."""

    entries: tuple[Entry, ...]
    upto: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`position`: the highest readable; `floor`: at or below it retention removed; `incarnation`: this log's life."""

    position: Position
    floor: Position
    incarnation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a log back end says about itself. Read at start, in the suite, and for the guarantees page; nowhere else.

    `write_envelopes_max`: most envelopes of one write; `envelope_bytes_max`: most bytes of one envelope's data.
    `flushes_at_once`: most appends of one process under way at a time; no two of them share a subject or an id.
    `appends_one`: `append_one` may keep what it is given.
    """

    name: str
    batch_is_atomic: bool
    write_envelopes_max: int
    envelope_bytes_max: int
    id_remembered_for: timedelta | None
    expects: frozenset[Literal["subject", "condition"]]
    shares_transaction_with_store: bool
    wakes_across_processes: bool
    append_survives: Literal["nothing", "process", "power", "node"]
    flushes_at_once: int = 1
    appends_one: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Which entries a refold needs: all of `types` of these subjects, at or below `upto`."""

    subjects: Sequence[str]
    types: frozenset[str]
    upto: Position


class LogDriver(Protocol):
    """A back end's log. One process may hold several; several processes may share what is behind them."""

    facts: Facts

    @property
    def inside_unit(self) -> bool:
        """Whether the running task stands inside a unit of the same database, where an append would wait for itself.

        `append` raises AppendInUnitError there.
        """

    async def append(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Judge each write on its own, keep the good ones durably in the given order, answer them all.

        A refused write never spoils its neighbours. Identity is judged before expectations, so a retry of a success
        is "duplicate". `Log` sees to it that each id stands once in `writes`, that a write with expectations shares
        no subject with another, and that one with a condition comes alone.
        An error raised means nothing is known: the same call may be repeated, and what had been kept is then
        answered as duplicate. LogUnavailableError if that may help; any other error if it will not.
        """

    async def append_one(self, envelope: Envelope, *, seconds: float) -> Receipt | None:
        """Keep one envelope, of which nothing is expected, in fewer steps than `append` takes, within so many seconds.

        None: nothing is known, and `append` has to be given the same envelope; so it is wherever the answer would not
        be "appended". To be called outside any unit, which is not asked here. Cancelled, it may have been kept.
        """

    async def read(self, *, after: Position, limit: int, where: Filter = EVERYTHING) -> Page:
        """Return the next matching entries after `after`, at most `limit`, oldest first. `limit` is 1 or more.

        Nothing ever appears at or below a returned `upto`. PositionExpiredError if `after` is below the floor;
        LogRewoundError if the head stands before `after`.
        """

    async def history(self, wanted: History) -> Sequence[Entry]:
        """Return the wanted entries, by position. Inside a unit of the same database it sees what the unit sees."""

    async def at(self, positions: Sequence[Position]) -> Sequence[Entry]:
        """Return the entries at these positions, by position; those that are not there are left out."""

    async def find(self, source: str, id: str) -> Entry | None:
        """Return the entry of this (source, id), None if it is unknown or no longer kept."""

    async def last_of(self, subject: str) -> Position:
        """Return the position of the subject's last entry; 0 if it has none."""

    async def recorded_from(self, recorded: int) -> Position:
        """Return a position such that every entry recorded at or after this time (µs since 1970) stands after it."""

    async def count(self, *, after: Position, where: Filter, most: int) -> int:
        """Count the matching entries after `after`, no further than `most`."""

    async def head(self) -> Head:
        """Return where the log stands now."""

    async def wait(self, *, after: Position, timeout: timedelta) -> None:
        """Come back as soon as an entry, also another process's, may stand after `after`, or at the timeout."""

    async def close(self) -> None:
        """Let go of everything; twice is once. A pending `wait` comes back."""
