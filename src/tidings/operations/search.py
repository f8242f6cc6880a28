"""Entries that somebody looks for, also by what the log itself cannot tell apart."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tidings.events.envelope import Entry
from tidings.events.filter import EVERYTHING, Filter
from tidings.events.patterns.document import wants
from tidings.events.patterns.pattern import Pattern
from tidings.log.driver import Page, Position
from tidings.log.log import Log
from tidings.operations.fitting import PAGE_BYTES, entry_size, fits

LOOKED_AT = 5_000
_TURN_BYTES = 64 * 1024
"""How much is looked at in one turn of the event loop: patterns take time, and others are waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which entries; None: whatever it is.

    `where`: as far as the log can tell. `sources`: any of them. `correlation`: of the event's own id, too, if it names
    no other, since it is then the first of its chain. `recorded_from`, `recorded_to`: µs since 1970, half-open.
    `pattern`: it is asked of each event as it was published, in the version that was.
    """

    where: Filter = EVERYTHING
    sources: frozenset[str] | None = None
    version: int | None = None
    correlation: str | None = None
    recorded_from: int | None = None
    recorded_to: int | None = None
    pattern: Pattern | None = None

    @property
    def is_simple(self) -> bool:
        """Whether the log can tell all that is asked."""
        return self == Sought(where=self.where)

    def finds(self, entry: Entry) -> bool:
        """Say whether an entry is wanted, by all that is asked; `where` names no slots."""
        return self.where.matches(entry.envelope, 0) and self.matches(entry)

    def matches(self, entry: Entry) -> bool:
        """Say whether an entry that the log has found is wanted."""
        envelope = entry.envelope
        return (
            (self.sources is None or envelope.source in self.sources)
            and (self.version is None or envelope.version == self.version)
            and (self.correlation is None or (envelope.correlation_id or envelope.id) == self.correlation)
            and (self.recorded_from is None or entry.recorded >= self.recorded_from)
            and (self.recorded_to is None or entry.recorded < self.recorded_to)
            and (self.pattern is None or wants(self.pattern, envelope))
        )


async def search(log: Log, sought: Sought, *, after: Position, limit: int, size: int = PAGE_BYTES) -> Page:
    """Return the next wanted entries after a position, oldest first, at most `limit`, and of some `size` bytes.

    No more than `LOOKED_AT` entries are looked at where the log cannot tell. So there may be fewer, or none, and more
    behind `upto`. Others have their turn of the event loop between entries that a pattern is asked of.
    """
    upto, found, left = after, list[Entry](), size
    if sought.recorded_from is not None:
        upto = max(after, await log.recorded_from(sought.recorded_from))
    seen = used = turn = 0
    while most := min(fits(size, seen=seen, used=used), (limit if sought.is_simple else LOOKED_AT) - seen):
        page = await log.read(after=upto, limit=most, where=sought.where)
        for entry in page.entries:
            seen, used = seen + 1, used + entry_size(entry)
            if sought.pattern is not None and used - turn >= _TURN_BYTES:
                await asyncio.sleep(0)  # noqa: TID251 - one turn of the event loop, no time
                turn = used
            if sought.matches(entry):
                found.append(entry)
                left -= entry_size(entry)
            if len(found) == limit or left <= 0:
                return Page(tuple(found), entry.position)
        upto = page.upto
        if len(page.entries) < most:
            break
    return Page(tuple(found), upto)
