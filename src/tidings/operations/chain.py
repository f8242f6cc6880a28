"""What led to an event and what it led to: the events of its correlation, as a tree of causes and effects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.log.log import Log

PAGE = 500
LOOKED_AT = 10_000
SHOWN = 200
EARLIER_US = timedelta(hours=1) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An event, and what it caused, in the order of the log."""

    entry: Entry
    effects: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The events that share a correlation.

    `roots`: those whose cause is not among them, usually one. `is_whole`: whether all entries were looked at among
    which the rest may be; if not, causes from long before and effects from long after are missing.
    """

    correlation: str
    roots: tuple[Link, ...]
    size: int
    is_whole: bool


async def chain(log: Log, entry: Entry) -> Chain:
    """Return the events that share this one's correlation.

    The log knows no way from a cause to its effects, so at most `LOOKED_AT` entries are looked at: from the event on if
    its chain begins with it, else from an hour before it. At most `SHOWN` are kept.
    """
    correlation = entry.envelope.correlation_id or entry.envelope.id
    after, is_begun = entry.position - 1, entry.envelope.correlation_id is None
    if not is_begun:
        floor = (await log.head()).floor
        after = max(floor, min(after, await log.recorded_from(entry.recorded - EARLIER_US)))
    found, reached_end = await _of(log, correlation, after)
    if all(each.position != entry.position for each in found):
        found = sorted([*found, entry], key=lambda each: each.position)
    begins = is_begun or any(each.envelope.id == correlation for each in found)
    return Chain(
        correlation=correlation,
        roots=tuple(_linked(found)),
        size=len(found),
        is_whole=begins and reached_end and len(found) < SHOWN,
    )


async def _of(log: Log, correlation: str, after: Position) -> tuple[list[Entry], bool]:
    """Return the entries of a correlation after this position, and whether the head was reached."""
    found: list[Entry] = []
    head = (await log.head()).position
    for _ in range(LOOKED_AT // PAGE):
        page = await log.read(after=after, limit=PAGE)
        found += [each for each in page.entries if correlation in (each.envelope.correlation_id, each.envelope.id)]
        if len(found) >= SHOWN:
            return found[:SHOWN], False
        if page.upto >= head:
            return found, True
        after = page.upto
    return found, False


def _linked(entries: Sequence[Entry]) -> Iterator[Link]:
    """Yield the roots. A cause is named by its id alone, and stands before its effects: it is the last one so named."""
    place_of: dict[str, int] = {}
    below: dict[int | None, list[int]] = {}
    for place, entry in enumerate(entries):
        cause = entry.envelope.causation_id
        above = None if cause is None else place_of.get(cause)
        below.setdefault(above, []).append(place)
        place_of[entry.envelope.id] = place
    links: dict[int, Link] = {}
    for place in reversed(range(len(entries))):
        effects = tuple(links[each] for each in below.get(place, ()))
        links[place] = Link(entry=entries[place], effects=effects)
    yield from (links[place] for place in below.get(None, ()))
