"""Taking in one page of what has changed: it proves the keys that it shows, and nothing of what it does not show."""

from __future__ import annotations

from tidings.reconciliation.copy.copying import Copied
from tidings.reconciliation.kept.book import Book, Kept
from tidings.reconciliation.kept.coding import Dirty, Suspect
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.rules.floors import NEVER, UNPROVED, Floors, Known
from tidings.reconciliation.rules.places import WHOLE
from tidings.reconciliation.rules.proofs import Proof
from tidings.reconciliation.runs.answering import omitted
from tidings.reconciliation.runs.pages import Page, Taken, There
from tidings.reconciliation.runs.taking import Taking


class Changes:
    """Takes pages of changes in for one scope."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def take(self, book: Book, record: Record, run: Run, taken: Taken) -> Page:
        """Take a page in; the unit holds the scope, and run and record are as they are kept."""
        places = [copy.at for copy in taken.copies]
        kept = Kept(
            mirror=await book.mirrored(places),
            open=await book.open_at(places),
            suspects=await book.suspects_at(places),
            key_floors=await book.key_floors_at(places),
            floors=await book.floors(WHOLE) if places else UNPROVED,
        )
        page = self._taking.judged(There(kept=kept, purged=record.purged), run, taken)
        page.dirty |= {key: Dirty(key=key, reason="gone", since=taken.now, due=taken.now) for key in taken.gone}
        await self._taking.keep(book, page, taken)
        await self._taking.ask(book, taken, page, [copy.key for copy in taken.copies])
        raised = {at: taken.as_of for at in places if kept.key_floors.get(at, NEVER) < taken.as_of}
        await book.write_key_floors(dict(raised))
        for copy in taken.copies:
            suspect = kept.suspects.get(copy.at)
            is_answered = suspect is not None and suspect.as_of <= taken.as_of
            if suspect is not None and is_answered and await self._is_lie(book, suspect, copy, page):
                lie = self._taking.repairs.noted(omitted(suspect, copy), run, now=taken.now)
                await book.write_findings([lie])
        return page

    async def _is_lie(self, book: Book, suspect: Suspect, copy: Copied, page: Page) -> bool:
        """Take a suspicion as answered: the item is there, and it was a lie that it is not if it is as it was then."""
        question = f"s:{suspect.key}"
        await book.write_suspects({suspect.at: None})
        if copy.version is not None and copy.version <= suspect.as_of:
            page.omitted += 1
            await book.void([question])
            return True
        repair = (await book.open_at([copy.at])).get(copy.at)  # of this page, or of one before that is not merged yet
        await book.answer(question, then=None if repair is None or repair.state != "open" else f"f:{repair.id}")
        return False

    async def prove(self, book: Book, floors: Floors, run: Run, as_of: int) -> None:
        """Raise what is known of all states to where a pass began. What is absent it cannot show. `floors`: of all."""
        open = await book.open_findings(WHOLE)
        waits = frozenset(f"f:{each.id}" for each in open.values() if each.state == "open")
        proof = Proof(WHOLE, as_of, waits, proves_deletes=False)
        told = await book.prove(f"{run.id}.changes", proof, floors.raised(WHOLE, Known(put=as_of)))
        await book.write_floors(floors, told)
