"""Appending, inside a transaction that somebody else begins and commits: a flush's own, or a unit's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
from asyncpg.transaction import Transaction

from tidings.backends.postgres import reading
from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.copying import copy, rows_of
from tidings.backends.postgres.drafts import Draft, draft_of
from tidings.backends.postgres.meanwhile import meanwhile
from tidings.backends.postgres.rewound import rewound
from tidings.backends.postgres.single import APPEND_ONE, arguments_of, is_single
from tidings.backends.postgres.transaction import begun_by
from tidings.errors import Conflict, LogUnavailableError, SequenceRewoundError
from tidings.events.codec import stored_of
from tidings.events.envelope import Envelope
from tidings.log.driver import Position, Receipt, Write
from tidings.log.repeats import difference
from tidings.log.seen_key import Keys, Sought
from tidings.ports import Clock

COMPARED_AT_ONCE = 128
"""Kept envelopes that are held to be compared: there may be many repeats of large ones."""

COPIED_FROM = 250
"""From so many envelopes on their rows are copied into the log: that costs three more round trips, and less a row."""


class MustFoldError(Exception):
    """What is appended is fed to inline views, so its transaction has to be a unit. Nothing was kept."""


class IdRacedError(LogUnavailableError):
    """Another transaction took one of the ids first. This one is lost; repeated, it is answered with that one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What `tidings.append` answered: places count from 0. `conflicts`: of the known ones with other content."""

    positions: Sequence[Position | None]
    known: frozenset[int]
    conflicts: Mapping[int, Conflict]
    moved: Sequence[Position | None]
    met: Position | None


class PostgresAppender:
    """Judges writes and keeps the good ones, in one statement unless they are many, or a repeat is written otherwise.

    One envelope of which nothing is expected has a statement of its own, and needs the other one only if it is refused,
    repeated or folded.

    `keys`: of this log. `committed`: called with the highest position that was drawn, when it was said
    that it is committed. `is_rewound`: a position was drawn that is taken. The next one may be free, but readers have
    passed it, so nothing is kept any more. `make_room`: called where a unit finds no partition to append to.
    """

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self.keys = Keys(secret)
        self._clock = clock
        self._last: Position = 0
        self.is_rewound = False
        self.committed: Callable[[Position], None] = _nobody
        self.make_room: Callable[[], Awaitable[None]] = _nowhere

    def appended(self) -> None:
        """Be told that what `append_in` kept is committed: who waits for it may look."""
        self.committed(self._last)

    async def append_in(self, connection: asyncpg.Connection, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Judge and keep the writes, as `LogDriver.append` does; the caller commits. Each id stands once among them.

        To be called as the last act of an open READ COMMITTED transaction: from here to its end, readers wait for it.
        LogUnavailableError: the transaction is lost, and repeating it as a whole helps. Errors of the connection are
        left as they are, for the caller to translate.
        """
        self._check()
        try:
            return await self._judge(connection, self._draft(writes), in_unit=True)
        except asyncpg.CheckViolationError as error:
            await self.make_room()
            told = "the log had no partition for the next position, which is made now: repeat the whole unit"
            raise LogUnavailableError(told) from error

    async def keep(self, connection: Connection, writes: Sequence[Write]) -> Sequence[Receipt]:
        """Judge and keep, in a transaction of its own. MustFoldError, before anything is kept, if it takes a unit."""
        self._check()
        if is_single(writes):
            receipt = await self._keep_one(connection, writes[0].envelopes[0])
            if receipt is not None:
                return (receipt,)
        if not are_copied(writes):
            return await self._judge(connection, self._draft(writes), in_unit=False)
        async with begun_by(connection, partial(self._drafted, writes)) as draft:
            found = await self._kept(connection, draft, in_unit=False)
        return self._answered(draft, found)

    async def _keep_one(self, connection: Connection, envelope: Envelope) -> Receipt | None:
        """Return its receipt; None if there is more to it than can be said in a number."""
        given = arguments_of(envelope, self.keys)
        try:
            position = await connection.only_value(APPEND_ONE, self._clock.now_us(), *given)
        except asyncpg.UniqueViolationError as error:
            raise self.clash_of(error) from error
        if position is None:
            return None
        self._last = position
        return Receipt(outcome="appended", positions=(position,))

    def _draft(self, writes: Sequence[Write], *, everywhere: bool = False) -> Draft:
        return draft_of(writes, self._sought(writes), everywhere=everywhere)

    async def _drafted(self, writes: Sequence[Write], transaction: Transaction) -> Draft:
        """Begin, and work out meanwhile what is sent."""
        _, draft = await meanwhile(transaction.start(), partial(self._draft, writes, everywhere=True))
        return draft

    async def _judge(self, connection: asyncpg.Connection, draft: Draft, *, in_unit: bool) -> Sequence[Receipt]:
        if not draft.envelopes:
            return [Receipt(outcome="duplicate") for _ in draft.writes]
        return self._answered(draft, await self._kept(connection, draft, in_unit=in_unit))

    def _answered(self, draft: Draft, found: Found) -> Sequence[Receipt]:
        self._last = max((position for position in found.positions if position is not None), default=self._last)
        return receipts_of(draft, found)

    async def _kept(self, connection: asyncpg.Connection, draft: Draft, *, in_unit: bool) -> Found:
        try:
            return await self._judged(connection, draft, in_unit=in_unit)
        except asyncpg.UniqueViolationError as error:
            raise self.clash_of(error) from error

    async def _judged(self, connection: asyncpg.Connection, draft: Draft, *, in_unit: bool) -> Found:
        conflicts: dict[int, Conflict] = {}
        same: list[bool | None] = []
        recorded, with_columns = self._clock.now_us(), not are_copied(draft.writes)
        rows: list[bytes] = []
        while True:
            statement = draft.statement(in_unit=in_unit, recorded=recorded, same=same, with_columns=with_columns)
            answer = connection.fetchrow(*statement)
            if with_columns or rows:
                row: Any = await answer
            else:
                row, rows = await meanwhile(answer, lambda: rows_of(draft.columns(), recorded))
            if row["must_fold"]:
                raise MustFoldError
            if row["differing"] is None:
                break
            places = [n - 1 for n in row["differing"]]
            conflicts |= await _compared(connection, draft.envelopes, {n: row["positions"][n] for n in places})
            same = same or [None] * len(draft.envelopes)
            for n in places:
                same[n] = n not in conflicts
        known = frozenset([n - 1 for n in row["known"]])
        positions = row["positions"]
        kept = [n for n, position in enumerate(positions) if position is not None and n not in known]
        if rows and kept:
            await copy(connection, [(positions[n], rows[n]) for n in kept])
        return Found(positions=positions, known=known, conflicts=conflicts, moved=row["moved"], met=row["met"])

    def clash_of(self, error: asyncpg.UniqueViolationError) -> IdRacedError | SequenceRewoundError:
        """Return what it means that a key was there already: one of an id, or else one of a position."""
        if (error.table_name or "").startswith("seen"):
            return IdRacedError("an id of this append was taken by another one meanwhile; repeat it")
        self.is_rewound = True
        return rewound()

    def _check(self) -> None:
        if self.is_rewound:
            raise rewound()

    def _sought(self, writes: Sequence[Write]) -> Sought:
        return self.keys.sought([envelope for write in writes for envelope in write.envelopes])

    def sought(self, source: str, id: str) -> Sought:
        """Return what stands for this identity."""
        return self.keys.sought([Envelope(source=source, id=id, type="")])


def are_copied(writes: Sequence[Write]) -> bool:
    """Say whether their rows are copied into the log, behind the statement that judges and draws their positions."""
    return sum([len(write.envelopes) for write in writes]) >= COPIED_FROM


def _nobody(last: Position) -> None:
    return None


async def _nowhere() -> None:
    return None


async def _compared(
    connection: asyncpg.Connection, envelopes: Sequence[Envelope], at: Mapping[int, Position]
) -> dict[int, Conflict]:
    """Return the conflicts of the envelopes whose content is not what is kept `at` their positions."""
    conflicts: dict[int, Conflict] = {}
    places = sorted(at, key=at.__getitem__)
    for start in range(0, len(places), COMPARED_AT_ONCE):
        some = places[start : start + COMPARED_AT_ONCE]
        kept = {entry.position: entry.envelope for entry in await reading.at(connection, [at[n] for n in some])}
        for n in some:
            conflict = _difference(envelopes[n], kept.get(at[n]), at[n])
            if conflict is not None:
                conflicts[n] = conflict
    return conflicts


def _difference(given: Envelope, kept: Envelope | None, position: Position) -> Conflict | None:
    if kept is not None and stored_of(given) == stored_of(kept):
        return None
    return difference(given, kept, position)


def receipts_of(draft: Draft, found: Found) -> Sequence[Receipt]:
    """Return what each write is answered. Identity is judged first, expectations after."""
    refused = dict(_unmet(draft, found))
    receipts = []
    start = 0
    for n, write in enumerate(draft.writes):
        places = range(start, start + len(write.envelopes))
        start = places.stop
        conflict = next((found.conflicts[place] for place in places if place in found.conflicts), refused.get(n))
        if conflict is not None:
            receipts.append(Receipt(outcome="conflict", conflict=conflict))
        else:
            receipts.append(_kept(found, places))
    return receipts


def _kept(found: Found, places: range) -> Receipt:
    positions = tuple([at for at in found.positions[places.start : places.stop] if at is not None])
    if not found.known:
        return Receipt(outcome="appended" if positions else "duplicate", positions=positions)
    known = frozenset([place - places.start for place in places if place in found.known])
    if len(known) == len(places):
        return Receipt(outcome="duplicate", positions=positions)
    return Receipt(outcome="appended", positions=positions, known=known)


def _unmet(draft: Draft, found: Found) -> Sequence[tuple[int, Conflict]]:
    """Return the writes, by number, whose expectations or condition do not hold; of several the first last."""
    unmet = [
        (n, Conflict(kind="subject", position=position, subject=subject))
        for (n, subject, _), position in zip(draft.expectations, found.moved, strict=True)
        if position is not None
    ]
    if found.met is not None and draft.conditional is not None:
        unmet.append((draft.conditional, Conflict(kind="condition", position=found.met)))
    return unmet[::-1]
