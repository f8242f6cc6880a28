"""Parked subjects and their dead letters: looked at, given back to their handler, or given up for a reason.

Dead letters of the other kinds, too, are `letters`; what is done to any is `letter_acts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from tidings.consumers.retry import KINDS
from tidings.errors import CallerError, NotFoundError, NotSubjectHeadError
from tidings.log.driver import Position
from tidings.operations.carried import uncarried
from tidings.operations.filtered import check_known
from tidings.operations.roster import roster
from tidings.ports import Clock
from tidings.services.service import Service
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import FOLLOWS, LOST, STALE
from tidings.store.parking import DeadLetter, Parked
from tidings.webhooks.deliver.outcome import DeadReason

NO_SUBJECT = "\x00"
_WRITTEN = "\\0"
LETTERS = 100
Kind = Literal["handler", "delivery", "receipt"]
LETTER_KINDS: tuple[Kind, ...] = get_args(Kind)
UNTRANSLATED = "translation-failed"
REASONS = KINDS | {*get_args(DeadReason), FOLLOWS, STALE, LOST, UNTRANSLATED}
"""Every word why something is a dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which dead letters; None: whatever it is. `reason`: the kebab-case word why, such as `handler-failed`.

    `consumer`: of which handler or fold; `endpoint`, or `service` of the function: whom a delivery goes to; `receiver`:
    whom a receipt came to. What one of these says is of no other kind.
    """

    kind: Kind | None = None
    consumer: str | None = None
    endpoint: str | None = None
    service: str | None = None
    receiver: str | None = None
    state: Literal["retrying", "dead"] | None = None
    reason: str | None = None

    def takes(self, kind: Kind) -> bool:
        """Say whether any of this kind can be one."""
        own = {
            "handler": (self.consumer,),
            "delivery": (self.endpoint, self.service),
            "receipt": (self.receiver,),
        }
        others = [name for of, names in own.items() if of != kind for name in names if name is not None]
        return self.kind in (None, kind) and not others and (kind == "handler" or self.state != "retrying")

    def matches(self, parked: Parked) -> bool:
        """Say whether this subject of a handler is one."""
        asked = ((self.consumer, parked.consumer), (self.state, parked.state), (self.reason, parked.reason))
        return self.takes("handler") and all(wanted in (None, found) for wanted, found in asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A parked subject with the first of its entries, in the order in which they will be handled."""

    parked: Parked
    letters: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What was given up, and how many entries of the subject are left."""

    consumer: str
    subject: str
    positions: tuple[Position, ...]
    left: int


def name_of(consumer: str, position: Position) -> str:
    """Return what a dead letter is called."""
    return f"{consumer}:{position}"


def check_head(parked: Parked, position: Position) -> None:
    """Refuse, with NotSubjectHeadError, an entry that waits behind another one: order is kept per subject."""
    if position > parked.first_position:
        name, first = (name_of(parked.consumer, each) for each in (position, parked.first_position))
        raise NotSubjectHeadError(f"{name} waits behind {first}: redrive or drop that one first")


def written(subject: str) -> str:
    r"""Return a parked subject as a person can type it: an event without one waits as `\0source\0id`."""
    return subject.replace(NO_SUBJECT, _WRITTEN)


def typed(text: str) -> str:
    """Return the parked subject that a person typed as `written` gave it."""
    return text.replace(_WRITTEN, NO_SUBJECT) if text.startswith(_WRITTEN) else text


async def parked(store: StoreDriver, services: Sequence[Service] | None, which: Which) -> Sequence[Parked]:
    """Return the parked subjects, oldest first. `services`: those of the application at hand, None if there is none.

    NotFoundError for a consumer or a reason that there is not: a misspelt one must not look like a day without faults.
    """
    every = await store.parked()
    if which.consumer is not None:
        await _check_consumer(store, services, which.consumer, every)
    if which.reason is not None:
        check_known("reason", which.reason, {*REASONS, *(each.reason for each in every)})
    return [each for each in every if which.matches(each)]


async def _check_consumer(
    store: StoreDriver, services: Sequence[Service] | None, consumer: str, parked: Sequence[Parked]
) -> None:
    there = {reader.name for reader in await roster(store, services)} | {each.consumer for each in parked}
    check_known("consumer", consumer, there)


async def find(store: StoreDriver, services: Sequence[Service] | None, consumer: str, subject: str) -> Parked:
    """Return one parked subject. NotFoundError if it is not parked; where nobody's of that name is, for a consumer that
    there is not, as in `parked`."""
    every = await store.parked()
    if all(each.subject != subject for each in every):
        await _check_consumer(store, services, consumer, every)
    return await _parked(store, consumer, subject)


async def show(
    store: StoreDriver, services: Sequence[Service] | None, consumer: str, subject: str, *, limit: int = LETTERS
) -> Opened:
    """Return one parked subject with its entries. NotFoundError as in `find`."""
    found = await find(store, services, consumer, subject)
    return Opened(parked=found, letters=tuple(await store.dead_letters(consumer, subject, limit=limit)))


async def redrivable(
    store: StoreDriver, clock: Clock, services: Sequence[Service] | None, consumer: str, subject: str
) -> Parked:
    """Return one subject that somebody would redrive. NotFoundError; CallerError if nobody runs the consumer."""
    found = await find(store, services, consumer, subject)
    for why in (await uncarried(store, clock, services, [consumer])).values():
        raise CallerError(why)
    return found


async def all_redrivable(
    store: StoreDriver, clock: Clock, services: Sequence[Service] | None, which: Which
) -> Sequence[Parked]:
    """Return the subjects that somebody would redrive: those are left out whose consumer nobody runs.

    NotFoundError as in `parked`; CallerError if nobody runs any of them.
    """
    found = await parked(store, services, which)
    without = await uncarried(store, clock, services, {each.consumer for each in found})
    left = [each for each in found if each.consumer not in without]
    if found and not left:
        raise CallerError("; ".join(without.values()))
    return left


async def redrive(
    store: StoreDriver, clock: Clock, services: Sequence[Service] | None, consumer: str, subject: str, *, who: str
) -> Parked:
    """Have one subject tried again now, with a full budget of attempts; return it as it was.

    NotFoundError; CallerError if nobody runs the consumer.
    """
    found = await redrivable(store, clock, services, consumer, subject)
    await _schedule(store, clock, found, who=who)
    return found


async def _schedule(store: StoreDriver, clock: Clock, parked: Parked, *, who: str) -> None:
    change = Change(who=who, what="redrive", on=parked.consumer, subject=parked.subject)
    async with store.changing(change) as changing:
        await changing.schedule_redrive(parked.consumer, parked.subject, at=clock.now_us())


async def redrive_all(
    store: StoreDriver, clock: Clock, services: Sequence[Service] | None, which: Which, *, who: str
) -> Sequence[Parked]:
    """Have all of these tried again now; return them as they were. One that was freed meanwhile is left out.

    Errors, and what else is left out, as in `all_redrivable`.
    """
    scheduled = []
    for each in await all_redrivable(store, clock, services, which):
        try:
            await _schedule(store, clock, each, who=who)
        except NotFoundError:
            continue
        scheduled.append(each)
    return scheduled


async def drop(
    store: StoreDriver, consumer: str, subject: str, *, position: Position | None = None, reason: str, who: str
) -> Dropped:
    """Give up the first entry, the one that failed, for a reason that the audit keeps. `position`: the one it must be.

    What waited behind it goes on by itself. CallerError without a reason; NotFoundError; NotSubjectHeadError.
    """
    why = told(reason)
    found = await _parked(store, consumer, subject)
    chosen = found.first_position if position is None else position
    check_head(found, chosen)
    await store.drop(consumer, subject, chosen, reason=why, who=who)
    return Dropped(consumer=consumer, subject=subject, positions=(chosen,), left=found.entries - 1)


def told(reason: str) -> str:
    """Return why something is given up. CallerError without a reason."""
    if not reason.strip():
        raise CallerError("say why it is given up: the reason is kept in the audit")
    return reason.strip()


async def all_droppable(
    store: StoreDriver, services: Sequence[Service] | None, which: Which, *, reason: str
) -> Sequence[Parked]:
    """Return the subjects of each of which the entry that failed would be given up. Errors as in `drop_each`."""
    told(reason)
    check_narrow(which)
    return await parked(store, services, which)


def check_narrow(which: Which) -> None:
    """Refuse to give up all that there is: it would be a slip. CallerError."""
    if which == Which():
        raise CallerError("give up which ones? Say a kind, a consumer, a state or a reason why they failed")


async def drop_each(
    store: StoreDriver, services: Sequence[Service] | None, which: Which, *, reason: str, who: str
) -> Sequence[Dropped]:
    """Give up the entry that failed of each of these subjects; what waited behind it goes on by itself.

    One that was freed meanwhile is left out. CallerError without a reason, or if nothing says which ones: to give up
    all there is would be a slip. NotFoundError as in `parked`.
    """
    done = []
    for each in await all_droppable(store, services, which, reason=reason):
        try:
            await store.drop(each.consumer, each.subject, each.first_position, reason=told(reason), who=who)
        except NotFoundError:
            continue
        left = each.entries - 1
        positions = (each.first_position,)
        done.append(Dropped(consumer=each.consumer, subject=each.subject, positions=positions, left=left))
    return done


async def drop_subject(store: StoreDriver, consumer: str, subject: str, *, reason: str, who: str) -> Dropped:
    """Give up all entries of a subject that are set aside now. CallerError without a reason; NotFoundError."""
    why = told(reason)
    found = await _parked(store, consumer, subject)
    positions: list[Position] = []
    letters = await store.dead_letters(consumer, subject, limit=found.entries)
    # From the last to the first: dropping the first would have the next one tried meanwhile.
    for letter in reversed(letters):
        await store.drop(consumer, subject, letter.entry.position, reason=why, who=who)
        positions.append(letter.entry.position)
    left = sum(each.entries for each in await store.parked(consumer) if each.subject == subject)
    return Dropped(consumer=consumer, subject=subject, positions=tuple(reversed(positions)), left=left)


async def _parked(store: StoreDriver, consumer: str, subject: str) -> Parked:
    there = {each.consumer: each for each in await store.parked() if each.subject == subject}
    if consumer in there:
        return there[consumer]
    hint = f"there is one of {', '.join(sorted(there))}" if there else ""
    raise NotFoundError("parked subject", written(subject), of=consumer, hint=hint)
