"""What follows from what a receiver says of one id: it has it, as it was sent or otherwise, or it has lost it."""

from __future__ import annotations

from tidings.reconciliation.copy.copying import Copied
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Mirrored, Suspect
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.outbound.judging import Shown, shown
from tidings.reconciliation.outbound.sending import Acknowledged, Findings, again
from tidings.reconciliation.outbound.taking import excepted
from tidings.reconciliation.rules.judging import PUT
from tidings.reconciliation.runs.answering import Answered, Answers, Followed


class AnsweringSent(Answers):
    """Takes answers in for the scope of an endpoint."""

    def __init__(self, findings: Findings, period: int) -> None:
        super().__init__(period)
        self._findings = findings

    async def _found(self, book: Book, run: Run, answered: Answered, *, now: int) -> Followed:
        held, is_pending = await self._held(book, answered)
        assert answered.copy is not None
        found = shown(answered.copy.hash, None if held is None else held.rank, is_pending=is_pending)
        if held is not None and found is Shown.OTHER:
            differs = self._findings.conflict(held, run, hash=answered.copy.hash, as_of=answered.as_of, now=now)
            await book.write_findings([differs])
            await book.write_dirty({held.key: excepted(held.key, "conflict", now=now)})
            return Followed("repaired", differs)
        if held is not None and found is Shown.GIVEN_UP:
            had = self._findings.unexpected(held, run, as_of=answered.as_of, now=now)
            await book.write_findings([had])
            sent = await book.sent([held.at])
            return Followed("repaired", had, Acknowledged(sent[held.at]))
        return Followed("same")

    async def _gone(self, book: Book, run: Run, answered: Answered, as_of: int, *, now: int) -> Followed:
        held, is_pending = await self._held(book, answered)
        if held is None or held.rank.kind != PUT or is_pending:
            return Followed("same")
        if held.rank.at > as_of:
            return Followed("asked-again")
        found = self._findings.lost(held, run, as_of=as_of, now=now)
        await book.write_findings([found])
        sent = await book.sent([held.at])
        return Followed("sent", found, again(sent[held.at], found))

    async def _left_out(self, book: Book, run: Run, suspect: Suspect, copy: Copied, *, now: int) -> None:
        """The breach says enough: of what was sent nothing differs."""

    def _was_there(self, answered: Answered, suspect: Suspect) -> bool:
        return True  # it took it before it listed what it has

    async def _held(self, book: Book, answered: Answered) -> tuple[Mirrored | None, bool]:
        at = answered.at
        return (await book.mirrored([at])).of(at), at in await book.open_at([at])
