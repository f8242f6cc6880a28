"""What follows from a provider's own count of its list: a list with fewer rows than it should have proves nothing."""

from __future__ import annotations

from tidings.reconciliation.copy.repairing import Difference
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.judging import PUT, Kind
from tidings.reconciliation.runs.holding import Holding
from tidings.store.rows import Rank

ANSWERED = 200
"""So many pages are taken as proved in one transaction."""


def counted(run: str) -> str:
    """Return the question whether a run's list has as many rows as it should: of each of its pages, until its end."""
    return f"t:{run}"


async def answer(holding: Holding, run: Run) -> None:
    """Take it as answered, for some pages at a time: what fits now fits later, too."""
    is_more = run.total is not None
    while is_more:
        async with holding.held() as (_, book, record):
            is_more = await book.answer(counted(run.id), limit=ANSWERED) == ANSWERED
            await book.write(record)


def is_incomplete(run: Run, record: Record) -> bool:
    """Say whether the provider's own count differs by more than what changed meanwhile."""
    return run.total is not None and abs(run.total - run.counted) > record.merges - run.merges


def difference(run: Run) -> Difference:
    """Return that the provider counts other than it lists: of the list as a whole, so of no key."""
    as_of = NEVER if run.first_as_of is None else run.first_as_of
    there, listed = Rank(as_of, 1, PUT, run.total or 0), Rank(as_of, 1, PUT, run.counted)
    return Difference(Kind.TOTAL_DIFFERS, "", b"", there, listed)
