"""What follows from what a party says of one item."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.reconciliation.copy.copying import Copied
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Suspect
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.outbound.party.deciding import Decided, Deciding, Read, follows
from tidings.reconciliation.outbound.party.expected import NOTHING, Expectations, Expected
from tidings.reconciliation.outbound.party.knowing import Knowing
from tidings.reconciliation.outbound.party.policy import Shown, shown
from tidings.reconciliation.outbound.party.pushing import KEY_LIFE, acknowledged
from tidings.reconciliation.outbound.party.taking import EXTRA, superseded
from tidings.reconciliation.outbound.taking import excepted
from tidings.reconciliation.runs.answering import Answered, Answers, Followed, Outcome


@dataclass(frozen=True, slots=True)
class _Item:
    """An item in a unit that holds the scope."""

    expected: Expected | None
    shown: Shown
    read: Read


class AnsweringHeld(Answers):
    """Takes answers in for the scope of a party. `period`: as of `Answers`."""

    def __init__(self, scope: str, deciding: Deciding, knowing: Knowing, period: int) -> None:
        super().__init__(period)
        self._scope = scope
        self._deciding = deciding
        self._knowing = knowing

    async def _found(self, book: Book, run: Run, answered: Answered, *, now: int) -> Followed:
        return await self._told(book, run, answered, await self._item(book, answered, answered.as_of, now=now))

    async def _gone(self, book: Book, run: Run, answered: Answered, as_of: int, *, now: int) -> Followed:
        return await self._told(book, run, answered, await self._item(book, answered, as_of, now=now))

    async def _item(self, book: Book, answered: Answered, as_of: int, *, now: int) -> _Item:
        expectations, at, copy = Expectations(book.unit, self._scope), answered.at, answered.copy
        expected = await expectations.at([at])
        read = Read(
            key=answered.key,
            at=at,
            row=None if copy is None else copy.row,
            hash=NOTHING if copy is None else copy.hash,
            as_of=min(as_of, now - self._knowing.quiet),
            now=now,
            secret=(await book.record()).secret,
            is_asked=True,
        )
        is_pending = at in await expectations.pending(expected)
        found = shown(read.hash, expected.get(at), as_of=read.as_of, is_pending=is_pending)
        return _Item(expected.get(at), found, read)

    async def _told(self, book: Book, run: Run, answered: Answered, item: _Item) -> Followed:
        held, read = item.expected, item.read
        if item.shown is Shown.PENDING:
            is_begun = answered.asked is not None and answered.asked.reason == KEY_LIFE
            return Followed("asked-again" if is_begun else "same")  # its call is about to end
        if item.shown is Shown.EQUAL:
            if held is not None and not held.is_settled:
                base = None if read.row is None else self._deciding.fields_of(read.row, read.secret)
                await Expectations(book.unit, self._scope).write({read.at: held.acknowledged(base, now=read.now)})
            await acknowledged(book, read.at, read.key)
            return Followed("same")
        then = follows(self._deciding, item.shown, held, read, run)
        await self._keep(book, read, then)
        if then.asks and answered.asked is not None:
            await book.answer(f"d:{read.key}")
            return Followed("asked-again", then.finding)  # by somebody: what it is excepted for stays
        return Followed(_outcome(item, then), then.finding, then.repair)

    async def _keep(self, book: Book, read: Read, then: Decided) -> None:
        assert then.finding is not None
        before = (await book.open_at([read.at])).get(read.at)
        await book.write_findings([then.finding])
        if before is not None and before.id != then.finding.id:
            await superseded(book, before, then.finding)
        if then.expected is not None:
            await Expectations(book.unit, self._scope).write({read.at: then.expected})
        if then.asks:
            await book.write_dirty({read.key: excepted(read.key, then.asks, now=read.now)})

    def _was_there(self, answered: Answered, suspect: Suspect) -> bool:
        return suspect.ticket != EXTRA  # it held it before it listed what it has

    async def _left_out(self, book: Book, run: Run, suspect: Suspect, copy: Copied, *, now: int) -> None:
        """The breach says enough: of what it should hold nothing differs."""


def _outcome(item: _Item, then: Decided) -> Outcome:
    """Return what counts for how much may be done without somebody who looks: what was there and is not."""
    if then.repair is None or item.shown in (Shown.LOST, Shown.FOREIGN):
        return "repaired"
    return "gone" if then.finding is not None and then.finding.state == "merged" else "sent"
