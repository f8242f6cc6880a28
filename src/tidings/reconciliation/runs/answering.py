"""What follows from the answer about one item: there, gone, or nothing, in one transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import structs

from tidings.reconciliation.copy.copying import Copied
from tidings.reconciliation.copy.differing import Differing
from tidings.reconciliation.copy.repairing import Difference, Repair, Repairs
from tidings.reconciliation.kept.attributing import told_by
from tidings.reconciliation.kept.book import Book, newer
from tidings.reconciliation.kept.coding import Dirty, Finding, Suspect, key_place
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.rules.facts import Capability
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.judging import (
    DELETE,
    PUT,
    Kind,
    Read,
    Verdict,
    age_of,
    floor_of,
    gone,
    is_absent,
    judge,
)
from tidings.store.rows import Rank

Outcome = Literal["same", "repaired", "gone", "asked-again", "omitted", "marked", "superseded", "sent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a provider said of a key. `copy`: None if it said that there is none. `asked`: why, if it had to be read."""

    key: str
    at: bytes
    copy: Copied | None
    as_of: int
    ticket: int = 0
    is_overlapped: bool = False
    asked: Dirty | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """What followed from an answer."""

    outcome: Outcome
    finding: Finding | None = None
    repair: Repair | None = None


class Answers(ABC):
    """Takes answers in for one scope. `period`: how long a single item that is gone is asked for once more, µs."""

    def __init__(self, period: int) -> None:
        self._period = period

    @abstractmethod
    async def _found(self, book: Book, run: Run, answered: Answered, *, now: int) -> Followed:
        """Return what follows from a key that is there."""

    @abstractmethod
    async def _gone(self, book: Book, run: Run, answered: Answered, as_of: int, *, now: int) -> Followed:
        """Return what follows from a key that is not."""

    @abstractmethod
    def _was_there(self, answered: Answered, suspect: Suspect) -> bool:
        """Say whether the item existed, as it is, when the list did not show it."""

    @abstractmethod
    async def _left_out(self, book: Book, run: Run, suspect: Suspect, copy: Copied, *, now: int) -> None:
        """Note that a list has left it out."""

    async def _is_shown_since(self, book: Book, suspect: Suspect) -> bool:
        """Say whether something has shown the item since an answer first said that it is gone."""
        return False

    async def suspect(
        self, book: Book, run: Run, suspect: Suspect, answered: Answered, *, now: int, is_only: bool
    ) -> Followed:
        """Take in what was said of a key that a list did not show. `is_only`: no other key is live, whose answer would
        have shown that the provider says of some that they are there."""
        if (await book.suspect(suspect.at)) != suspect:
            return Followed("superseded")
        question = f"s:{suspect.key}"
        if answered.is_overlapped:
            return Followed("asked-again")
        if answered.copy is not None:
            followed = await self._found(book, run, answered, now=now)
            if followed.outcome == "asked-again":
                return followed
            is_omitted = self._was_there(answered, suspect)
            if is_omitted:
                await book.void([question])
                await self._left_out(book, run, suspect, answered.copy, now=now)
            await self._close(book, suspect, question, followed)
            return Followed("omitted", followed.finding, followed.repair) if is_omitted else followed
        missing = None if await self._is_shown_since(book, suspect) else suspect.missing
        if is_only and (missing is None or now - missing < self._period):
            if missing is None:
                said = answered.ticket or answered.as_of
                await book.write_suspects({suspect.at: structs.replace(suspect, missing=now, said=said)})
            return Followed("marked")
        as_of = max(answered.as_of, suspect.as_of)
        followed = await self._gone(book, run, answered, as_of, now=now)
        if followed.outcome != "asked-again":
            await self._close(book, suspect, question, followed)
        return followed

    async def dirty(self, book: Book, run: Run, dirty: Dirty, answered: Answered, *, now: int) -> Followed:
        """Take in what was said of a key that had to be read; if it has to be since then, it is read once more."""
        kept = (await book.dirty_of([dirty.key])).get(dirty.key)
        if kept is None:
            return Followed("superseded")
        followed = await self.one(book, run, replace(answered, asked=dirty), now=now)
        if followed.outcome != "asked-again" and kept == dirty:
            await book.write_dirty({dirty.key: None})
            await book.answer(f"d:{dirty.key}", then=await _then(book, answered.at, followed))
        return followed

    async def unknown(self, book: Book, dirty: Dirty) -> None:
        """Take in that a key is gone of which nothing is here, not even where it stood."""
        if (await book.dirty_of([dirty.key])).get(dirty.key) == dirty:
            await book.write_dirty({dirty.key: None})
            await book.answer(f"d:{dirty.key}")

    async def one(self, book: Book, run: Run, answered: Answered, *, now: int) -> Followed:
        """Take in what was said of a key, whoever asked."""
        if answered.is_overlapped:
            return Followed("asked-again")
        if answered.copy is not None:
            return await self._found(book, run, answered, now=now)
        return await self._gone(book, run, answered, answered.as_of, now=now)

    async def _close(self, book: Book, suspect: Suspect, question: str, followed: Followed) -> None:
        await book.write_suspects({suspect.at: None})
        await book.answer(question, then=await _then(book, suspect.at, followed))


class Answering(Answers):
    """Takes answers in for the scope of a copy."""

    def __init__(self, capability: Capability, repairs: Repairs, differing: Differing, period: int) -> None:
        super().__init__(period)
        self._differing = differing
        self._capability = capability
        self._repairs = repairs

    def _was_there(self, answered: Answered, suspect: Suspect) -> bool:
        """Say whether the item existed, as it is, when the list did not show it."""
        copy = answered.copy
        return copy is not None and copy.version is not None and copy.version <= suspect.as_of

    async def _found(self, book: Book, run: Run, answered: Answered, *, now: int) -> Followed:
        copy = answered.copy
        assert copy is not None
        base = await self._base(book, answered.at)
        known = await book.floor_at(key_place(answered.at))
        key_floor = await book.key_floor(answered.at)
        read = Read(
            hash=copy.hash,
            as_of=answered.as_of,
            version=copy.version,
            ticket=answered.ticket,
            is_overlapped=answered.is_overlapped,
        )
        floor = floor_of(known, NEVER if key_floor is None else key_floor, base)
        found = judge(read, base, floor, self._capability)
        if found.verdict is Verdict.READ_AGAIN:
            return Followed("asked-again")
        await self._raise(book, answered, key_floor)
        if found.verdict is not Verdict.REPAIR:
            return Followed("same")
        assert found.kind is not None
        assert found.rank is not None
        purged, age = (await book.record()).purged, age_of(read, found.rank)
        difference = Difference(found.kind, copy.key, copy.at, found.rank, base, age, purged)
        time = copy.version if copy.version is not None and copy.version > 0 else found.rank.at
        finding, repair = self._repairs.repaired(difference, run, copy.row, now=now, time=min(time, now))
        finding = await self._keep(book, finding, answered)
        return Followed("repaired", finding, repair)

    async def _gone(self, book: Book, run: Run, answered: Answered, as_of: int, *, now: int) -> Followed:
        base = await self._base(book, answered.at)
        if base is None or base.kind != PUT:
            return Followed("same")
        if not is_absent(base, as_of=as_of, ticket=answered.ticket, capability=self._capability):
            return Followed("asked-again")
        rank = gone(as_of, answered.ticket, self._capability)
        purged = (await book.record()).purged
        difference = Difference(Kind.EXTRA, answered.key, answered.at, rank, base, purged=purged)
        time = min(as_of, now) if as_of > 0 else now
        finding, repair = self._repairs.repaired(difference, run, None, now=now, time=time)
        finding = await self._keep(book, finding, answered)
        await self._raise(book, answered, await book.key_floor(answered.at))
        return Followed("gone", finding, repair)

    async def _left_out(self, book: Book, run: Run, suspect: Suspect, copy: Copied, *, now: int) -> None:
        await book.write_findings([self._repairs.noted(omitted(suspect, copy), run, now=now)])

    async def _keep(self, book: Book, finding: Finding, answered: Answered) -> Finding:
        copies = {} if answered.copy is None else {answered.key: answered.copy}
        [finding] = await self._differing.of(book, [told_by(finding, answered.asked)], copies)
        await book.write_findings([finding])
        await book.watch([finding], by_key=self._capability is Capability.BARE)
        return finding

    async def _is_shown_since(self, book: Book, suspect: Suspect) -> bool:
        base, said = await self._base(book, suspect.at), suspect.said
        return base is not None and not is_absent(base, as_of=said, ticket=said, capability=self._capability)

    async def _base(self, book: Book, at: bytes) -> Rank | None:
        held, open = await book.mirrored([at]), await book.open_at([at])
        return newer(held.of(at), open.get(at))

    async def _raise(self, book: Book, answered: Answered, floor: int | None) -> None:
        if self._capability is not Capability.BARE and (floor is None or floor < answered.as_of):
            await book.write_key_floors({answered.at: answered.as_of})


def omitted(suspect: Suspect, copy: Copied) -> Difference:
    """Return that an item was there when a list did not show it."""
    rank = Rank(NEVER if copy.version is None else copy.version, 1, PUT, copy.hash)
    return Difference(Kind.OMITTED, suspect.key, suspect.at, rank, Rank(suspect.as_of, 1, DELETE, 0))


async def _then(book: Book, at: bytes, followed: Followed) -> str | None:
    """Return what is still to be merged: the repair that follows, or the one by which the copy will be as was said."""
    found = followed.finding or (await book.open_at([at])).get(at)
    return None if found is None or found.state != "open" else f"f:{found.id}"
