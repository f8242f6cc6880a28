"""Counting what was found: once so much time has passed that its event is missed, and not before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from tidings.reconciliation.copy.refolding import Refolding, Said, refolded_cause
from tidings.reconciliation.copy.repairing import Difference, finding_id
from tidings.reconciliation.kept.attributing import is_in_flight
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Finding, number_of
from tidings.reconciliation.rules.judging import BROKEN, PUT, Kind
from tidings.reconciliation.runs.holding import Holding
from tidings.store.driver import StoreDriver
from tidings.store.rows import Rank

CHUNK = 500


class Drift:
    """Counts the findings of one scope, whichever process does."""

    def __init__(self, holding: Holding, store: StoreDriver, refolding: Refolding) -> None:
        self._holding = holding
        self._store = store
        self._refolding = refolding

    async def count(self) -> int:
        """Count those that are due and whose events have not come in time; return how many were."""
        counted = 0
        while await self._is_any_due():
            said = await self._said()
            async with self._holding.open() as (_, book, record):
                due = await self._attributed(book, await book.take_due(self._holding.now, limit=CHUNK), said)
                drift = await self._drift(book, due)
                made = Counter(record.corrections) + Counter(f"{each.kind}/{each.cause}" for each in drift)
                await book.write(replace(record, corrections=dict(made)))
            counted += len(drift)
        return counted

    async def _said(self) -> Mapping[str, Sequence[Said]]:
        """Return what the log says of the items of those that are due, and whose events have not come."""
        async with self._store.unit() as unit:
            book = Book(unit, self._holding.scope)
            record, due = await book.record(), await book.due(self._holding.now, limit=CHUNK)
        unknown = [each for each in due if each.cause == "unknown"]
        return await self._refolding.said(record.secret, unknown, upto=record.mirrored) if unknown else {}

    async def _attributed(
        self, book: Book, due: Sequence[Finding], said: Mapping[str, Sequence[Said]]
    ) -> Sequence[Finding]:
        """Return these with their causes, as the log confirms them; what was decided to be late was not merged."""
        late = await book.is_late(each.position for its in said.values() for each in its)
        found = [
            replace(each, cause=refolded_cause(each, [one for one in said[each.id] if one.position not in late]))
            if each.cause == "unknown" and each.id in said
            else each
            for each in due
        ]
        await book.came(each for each in found if each.cause in ("handler", "provider"))
        return found

    async def _is_any_due(self) -> bool:
        first = await self._store.notes_between(self._holding.scope, "young", limit=1)
        return bool(first) and number_of(first[0][0][:8]) <= self._holding.now

    async def _drift(self, book: Book, due: Sequence[Finding]) -> Sequence[Finding]:
        """Return those that count. What one read showed as broken and another one as it was before were two reads that
        overlapped: nothing was broken."""
        broken = [each for each in due if each.kind in BROKEN]
        held = await book.mirrored([each.at for each in broken])
        undone = [each for each in broken if each.base is not None and held.shows(each.at, each.base[3])]
        purged = (await book.record()).purged
        undoing = (await book.findings(self._undoing(each, purged) for each in undone)).values()
        waived = [replace(each, state="waived") for each in (*undone, *undoing) if each.kind in BROKEN]
        await book.write_findings(waived)
        over = {each.id for each in (*waived, *due) if each.state == "waived"}
        return [each for each in due if each.id not in over and not is_in_flight(each, now=self._holding.now)]

    def _undoing(self, found: Finding, purged: int) -> bytes:
        """Return the id of the finding by which a state came back that this one had replaced."""
        assert found.base is not None
        back = Rank(found.rank[0], 1, PUT, found.base[3])
        of = Difference(Kind.WENT_BACK, found.key, found.at, back, Rank(*found.rank), purged=purged)
        return finding_id(self._holding.scope, of).encode()
