"""How far a copy is proved right, and but for what."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.reconciliation.book import Book
from tidings.reconciliation.floors import NEVER
from tidings.reconciliation.places import WHOLE
from tidings.reconciliation.records import Record, Run

EXCEPTIONS_MAX = 100
"""With more of them nothing is told: "right but for so many" says little."""


@dataclass(frozen=True, slots=True)
class Excepted:
    """A key of which nothing is said. `since`: µs since 1970."""

    key: str
    reason: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What may be told of a copy. `upserts`: whatever existed by then, and was not deleted since, is shown as it was at
    that moment or later; `deletes`: what is absent, too. µs since 1970, None: never proved."""

    scope: str
    upserts: int | None
    deletes: int | None
    exceptions: tuple[Excepted, ...]
    record: Record
    run: Run | None


async def bounds_of(book: Book, scope: str, *, now: int) -> Bounds:
    """Return what may be told now."""
    floors = await book.floors(WHOLE)
    record = await book.record()
    exceptions = [Excepted(each.key, "suspect", each.since) for each in (await book.suspects(WHOLE)).values()]
    exceptions += [Excepted(each.key, "unreadable", each.since) for each in await book.dirty() if each.is_given_up]
    is_told = len(exceptions) <= EXCEPTIONS_MAX
    return Bounds(
        scope=scope,
        upserts=_told(floors.upserts) if is_told else None,
        deletes=_told(floors.deletes) if is_told else None,
        exceptions=tuple(sorted(exceptions, key=lambda each: each.key)),
        record=record,
        run=await book.run(record.last) if record.last else None,
    )


def _told(floor: int) -> int | None:
    return None if floor == NEVER else floor
