"""Repairs that wait with their subject, of which the copy could not take an event in: told as such, not made again."""

from __future__ import annotations

from msgspec.structs import replace

from tidings.reconciliation.copy.repairing import Difference, Repairs, noted_id
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.rules.judging import Kind
from tidings.reconciliation.rules.places import WHOLE
from tidings.reconciliation.runs.holding import Holding
from tidings.store.driver import StoreDriver
from tidings.store.rows import Rank


class Parking:
    """Looks after the repairs of one scope. `consumer`: which keeps the copy."""

    def __init__(self, holding: Holding, store: StoreDriver, consumer: str, repairs: Repairs) -> None:
        self._holding = holding
        self._store = store
        self._consumer = consumer
        self._repairs = repairs

    async def mark(self, run: Run) -> None:
        """Note which repairs are parked, as what this run has found; no proof waits for them, and no bound tells of
        their keys."""
        parked = {each.subject for each in await self._store.parked(self._consumer)}
        if run.is_dry or not parked:
            return
        now = self._holding.now
        async with self._holding.open() as (_, book, _record):
            waiting = [each for each in (await book.open_findings(WHOLE)).values() if each.subject in parked]
            for each in waiting:
                base = None if each.base is None else Rank(*each.base)
                of = Difference(Kind.PARKED, each.key, each.at, Rank(*each.rank), base)
                noted = replace(
                    self._repairs.noted(of, run, now=now), id=noted_id(Kind.PARKED, each.id), since=each.since
                )
                await book.write_findings([replace(each, state="parked"), noted])
                await book.answer(f"f:{each.id}")
            await book.write_parked(waiting)
