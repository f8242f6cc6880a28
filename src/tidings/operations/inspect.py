"""Looking into the log: its last entries, what comes, and one event with what every consumer made of it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from tidings.errors import NotFoundError
from tidings.events.envelope import Entry
from tidings.events.filter import EVERYTHING, Filter
from tidings.events.identity import lane_subject
from tidings.events.patterns.document import wants
from tidings.events.patterns.pattern import Pattern
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.roster import Reader, roster
from tidings.services.service import Service
from tidings.store.driver import StoreDriver
from tidings.store.letters import GivenUp
from tidings.store.parking import Parked

PAGE = 500
LOOK_AGAIN = timedelta(seconds=10)
DEAD_LETTERS = 10_000
DELIVERIES = 100

State = Literal["settled", "ahead", "parked", "dropped", "unread", "unknown"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a consumer stands to an event.

    `state` "settled": handled or folded; "ahead": not read yet, or to be read again; "parked": set aside with its
    subject, as `parked` says; "dropped": set aside, and then given up by an operator, as `dropped` says, so neither
    handled nor folded; "unread": it does not read this type; "unknown": nobody here knows whether it reads it.
    """

    consumer: str
    state: State
    parked: Parked | None = None
    dropped: GivenUp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An entry, how each consumer stands to it, and its deliveries to endpoints, `DELIVERIES` at most."""

    entry: Entry
    standings: tuple[Standing, ...]
    deliveries: tuple[Mapping[str, Any], ...]


async def tail(
    log: Log, *, where: Filter = EVERYTHING, pattern: Pattern | None = None, limit: int = 20
) -> tuple[tuple[Entry, ...], Position]:
    """Return the last entries that match, oldest first, and the position up to which was looked."""
    upto = (await log.head()).position
    return await before(log, upto + 1, where=where, pattern=pattern, limit=limit), upto


async def before(
    log: Log, position: Position, *, where: Filter = EVERYTHING, pattern: Pattern | None = None, limit: int = 20
) -> tuple[Entry, ...]:
    """Return the last entries that match and stand before this position, oldest first."""
    head = await log.head()
    floor, position = head.floor, min(position, head.position + 1)
    after, reach = max(floor, position - 1), limit
    while True:
        after = max(floor, after - reach)
        found = await _between(log, after, position, where=where, pattern=pattern, limit=limit)
        if len(found) == limit or after == floor:
            return found
        reach *= 4


async def _between(
    log: Log, after: Position, before: Position, *, where: Filter, pattern: Pattern | None, limit: int
) -> tuple[Entry, ...]:
    last: deque[Entry] = deque(maxlen=limit)
    while after < before - 1:
        page = await log.read(after=after, limit=PAGE, where=where)
        last.extend(entry for entry in page.entries if entry.position < before and _is_wanted(entry, pattern))
        if page.upto <= after:
            break
        after = page.upto
    return tuple(last)


def _is_wanted(entry: Entry, pattern: Pattern | None) -> bool:
    return pattern is None or wants(pattern, entry.envelope)


async def follow(
    log: Log, *, after: Position, where: Filter = EVERYTHING, pattern: Pattern | None = None
) -> AsyncIterator[Entry]:
    """Yield the entries after this position that match, as they come; for ever."""
    while True:
        page = await log.read(after=after, limit=PAGE, where=where)
        for entry in page.entries:
            if _is_wanted(entry, pattern):
                yield entry
        after = page.upto
        if not page.entries:
            await log.wait(after=after, timeout=LOOK_AGAIN)


async def show(log: Log, store: StoreDriver, services: Sequence[Service] | None, *, source: str, id: str) -> Shown:
    """Return one event with what every consumer and endpoint made of it. NotFoundError if it is not kept here."""
    entry = await log.find(source, id)
    if entry is None:
        raise NotFoundError("event", id, of=source)
    standings = [await _standing(store, reader, entry) for reader in await roster(store, services)]
    deliveries = await store.deliveries_of(entry.position, limit=DELIVERIES)
    return Shown(entry=entry, standings=tuple(standings), deliveries=tuple(deliveries))


async def _standing(store: StoreDriver, reader: Reader, entry: Entry) -> Standing:
    envelope = entry.envelope
    subject = lane_subject(envelope.source, envelope.id, envelope.subject)
    for parked in await store.parked(reader.name):
        if parked.subject == subject and await _is_among(store, parked, entry.position):
            return Standing(consumer=reader.name, state="parked", parked=parked)
    if reader.types is not None and envelope.type not in reader.types:
        return Standing(consumer=reader.name, state="unread")
    if not reader.is_inline and reader.checkpoint_of(envelope) < entry.position:
        return Standing(consumer=reader.name, state="ahead")
    dropped = await store.given_up(reader.name if reader.record is None else reader.record.table, entry.position)
    if dropped is not None:
        return Standing(consumer=reader.name, state="dropped", dropped=dropped)
    return Standing(consumer=reader.name, state="settled" if reader.is_known else "unknown")


async def _is_among(store: StoreDriver, parked: Parked, position: Position) -> bool:
    letters = await store.dead_letters(parked.consumer, parked.subject, limit=DEAD_LETTERS)
    return any(letter.entry.position == position for letter in letters)
