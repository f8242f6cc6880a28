"""Dead letters one by one: each is named by its consumer and where it stands, whatever subject it waits with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tidings.errors import NotFoundError
from tidings.events.identity import lane_subject
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.dead import Which, check_head, name_of, parked
from tidings.services.service import Service
from tidings.store.driver import StoreDriver
from tidings.store.parking import DeadLetter, Parked

_NAME = re.compile(r"(.+):([1-9][0-9]{0,17})", re.DOTALL)

Place = tuple[int, str, str]
"""Where a parked subject stands among all: when it was parked, its consumer, its subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter, and the subject that waits with it. `is_head`: whether it is the one that failed."""

    parked: Parked
    letter: DeadLetter

    @property
    def name(self) -> str:
        return name_of(self.letter.consumer, self.letter.entry.position)

    @property
    def is_head(self) -> bool:
        return self.letter.entry.position == self.parked.first_position


def place_of(parked: Parked) -> Place:
    """Return where a parked subject stands in the order of `heads`."""
    return parked.parked_at, parked.consumer, parked.subject


async def heads(
    store: StoreDriver, services: Sequence[Service] | None, which: Which, *, after: Place | None, limit: int | None
) -> tuple[Letter, ...]:
    """Return the letters that failed, one for each parked subject, the longest parked first. NotFoundError."""
    found = sorted(await parked(store, services, which), key=place_of)
    page = [each for each in found if after is None or place_of(each) > after][:limit]
    letters: list[Letter] = []
    for each in page:
        first = await store.dead_letters(each.consumer, each.subject, limit=1)
        letters += [Letter(parked=each, letter=letter) for letter in first]  # none if it was freed meanwhile
    return tuple(letters)


async def find(log: Log, store: StoreDriver, name: str) -> Letter:
    """Return the dead letter of this name. NotFoundError."""
    read = _NAME.fullmatch(name)
    if read is not None:
        consumer, position = read[1], int(read[2])
        for entry in await log.at([position]):
            envelope = entry.envelope
            subject = lane_subject(envelope.source, envelope.id, envelope.subject)
            found = await _among(store, consumer, subject, position)
            if found is not None:
                return found
    raise NotFoundError(f"there is no dead letter {name[:100]!r}: it was handled or dropped, or its name is misspelt")


async def find_head(log: Log, store: StoreDriver, name: str) -> Letter:
    """Return the dead letter of this name, which is the first of its subject. NotFoundError; NotSubjectHeadError."""
    found = await find(log, store, name)
    check_head(found.parked, found.letter.entry.position)
    return found


async def _among(store: StoreDriver, consumer: str, subject: str, position: Position) -> Letter | None:
    for each in await store.parked(consumer):
        if each.subject != subject:
            continue
        for letter in await store.dead_letters(consumer, subject, limit=each.entries):
            if letter.entry.position == position:
                return Letter(parked=each, letter=letter)
    return None
