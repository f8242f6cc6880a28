"""Dead letters one by one, of every kind, read where each lies: by their names, and as one list, the oldest first.

One of a handler is called `consumer:position`, one of a delivery `delivery:` and its key, one of a receipt
`receipt:receiver:number`. No consumer's name has a colon in it, so that none of them is another's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidings.errors import NotFoundError, NotSubjectHeadError
from tidings.events.envelope import Entry
from tidings.events.identity import lane_subject
from tidings.events.rules import is_kept
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.dead import UNTRANSLATED, Kind, Which, name_of, parked
from tidings.services.service import Service
from tidings.store.deliveries import DeliveryFilter
from tidings.store.driver import StoreDriver
from tidings.store.letters import DeadDelivery, Mark
from tidings.store.parking import DeadLetter, Parked
from tidings.store.receipts import Receipt
from tidings.wording import LOOK

_NAME = re.compile(r"(.+):([1-9][0-9]{0,17})", re.DOTALL)
_DELIVERY, _RECEIPT = "delivery:", "receipt:"
_LAST = 1 << 62
TOGETHER = 101
"""How many of a subject are named when one is shown."""

Place = tuple[int, Kind, str, str]
"""Where a dead letter stands among all: when it became one, its kind, and what tells it from others of the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerLetter:
    """An entry that a handler or a fold set aside, and the subject that waits with it."""

    parked: Parked
    letter: DeadLetter

    @property
    def name(self) -> str:
        return name_of(self.letter.consumer, self.letter.entry.position)

    @property
    def is_head(self) -> bool:
        """Whether it is the one that failed."""
        return self.letter.entry.position == self.parked.first_position


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLetter:
    """A delivery that was given up. `entry`: what it tells an endpoint of, as far as the log has it."""

    delivery: DeadDelivery
    entry: Entry | None

    @property
    def name(self) -> str:
        return _DELIVERY + self.delivery.key

    @property
    def is_head(self) -> bool:
        return not self.delivery.is_behind


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLetter:
    """A webhook that could not be read as events."""

    receipt: Receipt

    @property
    def name(self) -> str:
        return f"{_RECEIPT}{self.receipt.receiver}:{self.receipt.n}"

    @property
    def is_head(self) -> bool:
        return True


Letter = HandlerLetter | DeliveryLetter | ReceiptLetter
_Found = Parked | DeadDelivery | Receipt


def place_of(letter: Letter) -> Place:
    """Return where a letter that failed stands in the order of `heads`."""
    match letter:
        case HandlerLetter():
            return _place(letter.parked)
        case DeliveryLetter():
            return _place(letter.delivery)
        case ReceiptLetter():
            return _place(letter.receipt)


def _place(found: _Found) -> Place:
    match found:
        case Parked():
            return found.parked_at, "handler", found.consumer, found.subject
        case DeadDelivery():
            return found.closed, "delivery", f"{found.n:020}", ""
        case Receipt():
            return found.received, "receipt", f"{found.n:020}", ""


def check_place(place: Place) -> None:
    """Raise ValueError if no letter can stand there."""
    if not is_kept(place[2]):
        raise ValueError("no consumer has such a name")
    if place[1] != "handler" and not 0 <= int(place[2]) < _LAST:
        raise ValueError("it has no number")


def entry_of(letter: Letter) -> Entry | None:
    """Return the entry that failed; None if there is none, or the log does not have it any more."""
    match letter:
        case HandlerLetter():
            return letter.letter.entry
        case DeliveryLetter():
            return letter.entry
        case ReceiptLetter():
            return None


async def heads(
    log: Log, store: StoreDriver, services: Sequence[Service] | None, which: Which, *, after: Place | None, limit: int
) -> tuple[Letter, ...]:
    """Return the letters that failed, one for each subject that waits, the oldest first. NotFoundError as `parked`.

    Those of handlers are all looked through, and of the others no more than `limit`.
    """
    subjects = await parked(store, services, which)
    found: list[_Found] = [each for each in subjects if after is None or _place(each) > after]
    if which.takes("delivery"):
        found += await store.dead_deliveries(deliveries_of(which), after=_mark(after, "delivery"), limit=limit)
    if which.takes("receipt") and which.reason in (None, UNTRANSLATED):
        found += await store.failed_receipts(which.receiver, after=_mark(after, "receipt"), limit=limit)
    page = sorted(found, key=_place)[:limit]
    entries = await _entries(log, (each.position for each in page if isinstance(each, DeadDelivery)))
    letters = [await _letter(store, each, entries) for each in page]
    return tuple(letter for letter in letters if letter is not None)


def deliveries_of(which: Which) -> DeliveryFilter:
    """Return which of the deliveries are meant."""
    return DeliveryFilter(endpoint=which.endpoint, service=which.service, reason=which.reason)


def _mark(after: Place | None, kind: Kind) -> Mark | None:
    """Return what those of a kind are behind of that are behind this place."""
    if after is None:
        return None
    at, of, number, _ = after
    return (at, int(number)) if of == kind else (at, _LAST if kind < of else -1)


async def _entries(log: Log, positions: Iterable[Position | None]) -> Mapping[Position, Entry]:
    wanted = sorted({position for position in positions if position is not None})
    return {entry.position: entry for entry in (await log.at(wanted) if wanted else ())}


async def _letter(store: StoreDriver, found: _Found, entries: Mapping[Position, Entry]) -> Letter | None:
    match found:
        case Parked():
            for letter in await store.dead_letters(found.consumer, found.subject, limit=1):
                return HandlerLetter(parked=found, letter=letter)
            return None  # it was freed meanwhile
        case DeadDelivery():
            return DeliveryLetter(delivery=found, entry=entries.get(found.position or 0))
        case Receipt():
            return ReceiptLetter(receipt=found)


async def find(log: Log, store: StoreDriver, name: str) -> Letter:
    """Return the dead letter of this name. NotFoundError."""
    read = _NAME.fullmatch(name)
    found: Letter | None = None
    if name.startswith(_DELIVERY):
        found = await _delivery(log, store, name.removeprefix(_DELIVERY))
    if found is None and read is not None and read[1].startswith(_RECEIPT):
        found = await _receipt(store, read[1].removeprefix(_RECEIPT), int(read[2]))
    if found is None and read is not None:
        found = await _set_aside(log, store, read[1], int(read[2]))
    if found is None:
        raise NotFoundError("dead letter", name, hint=f"it was handled or dropped, or is misspelt: {LOOK}")
    return found


async def find_head(log: Log, store: StoreDriver, name: str) -> Letter:
    """Return the dead letter of this name, which is the first of its subject. NotFoundError; NotSubjectHeadError."""
    found = await find(log, store, name)
    if not found.is_head:
        first = name_of(found.parked.consumer, found.parked.first_position) if isinstance(found, HandlerLetter) else ""
        behind = f"behind {first}" if first else "behind an earlier dead delivery of its subject"
        raise NotSubjectHeadError(f"{name} waits {behind}: redrive or drop that one first")
    return found


async def together(store: StoreDriver, found: Letter, *, limit: int) -> Sequence[str]:
    """Return the names of the letters that wait with the subject of this one, itself included, in order."""
    match found:
        case HandlerLetter():
            waiting = await store.dead_letters(found.parked.consumer, found.parked.subject, limit=limit)
            return [name_of(each.consumer, each.entry.position) for each in waiting]
        case DeliveryLetter():
            behind = await store.dead_behind(found.delivery, limit=limit - 1)
            return [found.name, *(_DELIVERY + key for key in behind)]
        case ReceiptLetter():
            return [found.name]


async def _delivery(log: Log, store: StoreDriver, key: str) -> DeliveryLetter | None:
    found = await store.dead_delivery(key)
    if found is None:
        return None
    entries = await _entries(log, [found.position])
    return DeliveryLetter(delivery=found, entry=entries.get(found.position or 0))


async def _receipt(store: StoreDriver, receiver: str, n: int) -> ReceiptLetter | None:
    found = await store.receipt(n)
    if found is None or found.receiver != receiver or found.outcome != "failed":
        return None
    return ReceiptLetter(receipt=found)


async def _set_aside(log: Log, store: StoreDriver, consumer: str, position: Position) -> HandlerLetter | None:
    subjects = [lane_subject(e.source, e.id, e.subject) for e in (each.envelope for each in await log.at([position]))]
    for waiting in [each for each in await store.parked(consumer) if each.subject in subjects]:
        for letter in await store.dead_letters(consumer, waiting.subject, limit=waiting.entries):
            if letter.entry.position == position:
                return HandlerLetter(parked=waiting, letter=letter)
    return None
