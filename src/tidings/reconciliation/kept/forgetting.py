"""Forgetting runs that are long over, and what they found. What was counted stays counted."""

from __future__ import annotations

from tidings.events.identity import uuid7
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.findings import OPEN
from tidings.reconciliation.kept.records import KEYS, Record, Run
from tidings.store.driver import StoreDriver

RUNS = 1_000
"""Of so many runs at most it is looked at a time whether they are over."""


async def forget_runs(store: StoreDriver, scope: str, *, before: int, limit: int) -> int:
    """Remove runs that began before this, µs since 1970, and what they found, up to so many of both together; return
    how many there were. The last runs, and what waits to be merged, stay."""
    async with store.unit() as unit:
        await unit.hold(scope)
        book = Book(unit, scope)
        record, left = await book.record(), limit
        for run in await book.runs_upto(uuid7(before, 0), limit=RUNS):
            if left > 0 and not _stays(run, record):
                left -= await _forget(book, run.id, before=before, limit=left)
        return limit - left + await _forget_found(book, KEYS, before=before, limit=left)


def _stays(run: Run, record: Record) -> bool:
    return run.state in ("running", "paused") or run.id in (record.run, record.last, record.pass_)


async def _forget(book: Book, run: str, *, before: int, limit: int) -> int:
    gone = await _forget_found(book, run, before=before, limit=limit)
    if gone < limit and not await book.found_by(run, limit=1):
        await book.forget_run(run)
        gone += 1
    return gone


async def _forget_found(book: Book, run: str, *, before: int, limit: int) -> int:
    """Remove what a run found. What a later one has found, too, is that one's."""
    if limit <= 0:
        return 0
    ids = await book.found_by(run, limit=limit)
    found = await book.findings(ids)
    waits = {id for id, each in found.items() if each.state in OPEN or each.since >= before}
    over = [each for id, each in found.items() if id not in waits and each.run == run]
    left_out = [id for id in ids if id not in waits]
    await book.forget_found(run, left_out, over)
    return len(left_out)
