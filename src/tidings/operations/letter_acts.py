"""What is done to dead letters of every kind: given back to what failed with them, or given up for a reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from tidings.errors import CallerError, NotFoundError, RefusedError
from tidings.log.log import Log
from tidings.operations import dead, letters, receipts
from tidings.operations.dead import UNTRANSLATED, Which
from tidings.operations.letters import DeliveryLetter, HandlerLetter, Letter, ReceiptLetter
from tidings.ports import Clock
from tidings.services.service import Service
from tidings.store.audit import Change, What
from tidings.store.driver import StoreDriver
from tidings.store.letters import DeadDelivery
from tidings.store.receipts import Receipt
from tidings.webhooks.intake.replaying import Again

CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """How many subjects were given back, with how many entries in all; or would be.

    `consumers`: of whose handlers or folds. `failed`: how many letters could not be: receipts that are still no events,
    deliveries to an endpoint that is gone.
    """

    subjects: int = 0
    entries: int = 0
    failed: int = 0
    consumers: frozenset[str] = frozenset()

    def __add__(self, other: Redriven) -> Redriven:
        return Redriven(
            subjects=self.subjects + other.subjects,
            entries=self.entries + other.entries,
            failed=self.failed + other.failed,
            consumers=self.consumers | other.consumers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Of how many subjects what failed was given up, or would be; `left`: how many entries of theirs wait on."""

    subjects: int = 0
    left: int = 0

    def __add__(self, other: GivenUp) -> GivenUp:
        return GivenUp(subjects=self.subjects + other.subjects, left=self.left + other.left)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterActs:
    """Operates dead letters. `services`: those of the application at hand, None if there is none.

    `again`: what receipts are translated with.
    """

    log: Log
    store: StoreDriver
    clock: Clock
    services: Sequence[Service] | None
    again: Again

    def within(self, store: StoreDriver) -> LetterActs:
        """Return the same as parts of a transaction that is open."""
        return replace(self, store=store, again=replace(self.again, store=store))

    async def redrive(self, name: str, *, who: str, dry_run: bool = False) -> Redriven:
        """Give one letter back, and then what waits behind it, with a full budget of attempts.

        NotFoundError; NotSubjectHeadError; CallerError if nobody runs its consumer, its endpoint or receiver is not
        there any more, or it still cannot be translated.
        """
        found = await letters.find_head(self.log, self.store, name)
        match found:
            case HandlerLetter():
                whose = self.store, self.clock, self.services, found.parked.consumer, found.parked.subject
                await (dead.redrivable(*whose) if dry_run else dead.redrive(*whose, who=who))
            case DeliveryLetter():
                if not dry_run:
                    await self._retry(found.delivery, who)
            case ReceiptLetter():
                why = None if dry_run else await self._translate(found.receipt, who)
                if why is not None:
                    raise CallerError(f"{name} still cannot be translated: {why}")
        whose_handler = {found.parked.consumer} if isinstance(found, HandlerLetter) else ()
        return Redriven(subjects=1, entries=_entries(found), consumers=frozenset(whose_handler))

    async def redrive_all(self, which: Which, *, who: str, dry_run: bool = False) -> Redriven:
        """Give all that fit back, each in a transaction of its own; errors as `dead.all_redrivable`, if it is all."""
        until, done, refused = self.clock.now_us(), Redriven(), None
        try:
            done += await self._redrive_subjects(which, who, dry_run=dry_run)
        except NotFoundError:
            raise
        except CallerError as error:
            refused = error
        async for delivery in self._deliveries(which, until):
            done += await self._given_back(delivery, who, dry_run=dry_run)
        async for receipt in self._receipts(which, until):
            why = None if dry_run else await self._translate(receipt, who)
            done += Redriven(failed=1) if why is not None else Redriven(subjects=1, entries=1)
        if refused is not None and done == Redriven():
            raise refused
        return done

    async def drop(self, name: str, *, reason: str, who: str, dry_run: bool = False) -> GivenUp:
        """Give one letter up; what waits behind it goes on. CallerError without a reason; NotFoundError;
        NotSubjectHeadError."""
        dead.told(reason)
        found = await letters.find_head(self.log, self.store, name)
        if dry_run:
            return GivenUp(subjects=1, left=_entries(found))
        match found:
            case HandlerLetter(parked=parked):
                whose, at = (parked.consumer, parked.subject), parked.first_position
                done = await dead.drop(self.store, *whose, position=at, reason=reason, who=who)
                return GivenUp(subjects=1, left=done.left)
            case DeliveryLetter():
                await self._cancel(found.delivery, reason, who)
            case ReceiptLetter():
                await receipts.drop(self.store, found.receipt.n, reason=reason, who=who)
        return GivenUp(subjects=1, left=_entries(found) - 1)

    async def drop_each(self, which: Which, *, reason: str, who: str, dry_run: bool = False) -> GivenUp:
        """Give up the letters that failed and that fit; what waits behind each goes on. Errors as `dead.drop_each`."""
        until, store = self.clock.now_us(), self.store
        if dry_run:
            found = await dead.all_droppable(store, self.services, which, reason=reason)
            done = GivenUp(subjects=len(found), left=sum(each.entries for each in found))
        else:
            dropped = await dead.drop_each(store, self.services, which, reason=reason, who=who)
            done = GivenUp(subjects=len(dropped), left=sum(each.left for each in dropped))
        async for delivery in self._deliveries(which, until):
            with suppress(RefusedError, NotFoundError):  # somebody was quicker
                if not dry_run:
                    await self._cancel(delivery, reason, who)
                done += GivenUp(subjects=1, left=delivery.followers + dry_run)
        async for receipt in self._receipts(which, until):
            with suppress(RefusedError, NotFoundError):
                if not dry_run:
                    await receipts.drop(store, receipt.n, reason=reason, who=who)
                done += GivenUp(subjects=1, left=int(dry_run))
        return done

    async def _redrive_subjects(self, which: Which, who: str, *, dry_run: bool) -> Redriven:
        whose = self.store, self.clock, self.services, which
        found = await (dead.all_redrivable(*whose) if dry_run else dead.redrive_all(*whose, who=who))
        consumers = frozenset(each.consumer for each in found)
        return Redriven(subjects=len(found), entries=sum(each.entries for each in found), consumers=consumers)

    async def _given_back(self, delivery: DeadDelivery, who: str, *, dry_run: bool) -> Redriven:
        try:
            if not dry_run:
                await self._retry(delivery, who)
        except (RefusedError, NotFoundError):
            return Redriven(failed=1)
        return Redriven(subjects=1, entries=1 + delivery.followers)

    async def _retry(self, delivery: DeadDelivery, who: str) -> None:
        async with self.store.changing(_change("redrive", delivery, who)) as changing:
            await changing.retry_delivery(delivery.key, at=self.clock.now_us())

    async def _cancel(self, delivery: DeadDelivery, reason: str, who: str) -> None:
        async with self.store.changing(_change("drop", delivery, who, dead.told(reason))) as changing:
            await changing.cancel_delivery(delivery.key, at=self.clock.now_us())

    async def _translate(self, receipt: Receipt, who: str) -> str | None:
        """Return why it is still no events; None if it is some now."""
        try:
            return (await receipts.redrive(self.again, receipt.n, who=who)).error
        except CallerError as error:
            return str(error)

    async def _deliveries(self, which: Which, until: int) -> AsyncIterator[DeadDelivery]:
        """Yield those that fit and were dead before this time: what dies meanwhile is for the next time."""
        after, wanted = None, letters.deliveries_of(which)
        while which.takes("delivery"):
            page = await self.store.dead_deliveries(wanted, after=after, limit=CHUNK)
            for each in page:
                if each.closed > until:
                    return
                yield each
            if len(page) < CHUNK:
                return
            after = page[-1].mark

    async def _receipts(self, which: Which, until: int) -> AsyncIterator[Receipt]:
        after = None
        while which.takes("receipt") and which.reason in (None, UNTRANSLATED):
            page = await self.store.failed_receipts(which.receiver, after=after, limit=CHUNK)
            for each in page:
                if each.received > until:
                    return
                yield each
            if len(page) < CHUNK:
                return
            after = page[-1].received, page[-1].n


def _entries(found: Letter) -> int:
    match found:
        case HandlerLetter():
            return found.parked.entries
        case DeliveryLetter():
            return 1 + found.delivery.followers
        case ReceiptLetter():
            return 1


def _change(what: What, delivery: DeadDelivery, who: str, reason: str = "") -> Change:
    # Not by the name of whom it goes to: a consumer may have that, too, and its view leaves out what is dropped of it.
    return Change(who=who, what=what, on=f"delivery {delivery.key}", subject=delivery.subject, reason=reason)
