"""Asking a provider: within the budget, measured from before the call to after it, and what went wrong told apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from msgspec import structs

from tidings.errors import CursorExpiredError, NotAuthorisedError, RateLimitedError
from tidings.reconciliation.copy.sound import sound_answer, sound_page
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.listing import Answer, Filters, Lists, Page
from tidings.reconciliation.rules.facts import Order
from tidings.reconciliation.rules.purses import Priority
from tidings.reconciliation.rules.stamps import SECOND, Asked, Stamps, latest, most_ahead
from tidings.reconciliation.runs.budget import Budget
from tidings.reconciliation.runs.holding import Holding
from tidings.views.columns import microseconds

TRIES = 5
T = TypeVar("T", Page, Answer)


class NoReadError(Exception):
    """No read happened. `why`: `rate`, `cursor`, `authorisation`, `date`, `clock` or `unavailable`; `wait`: seconds."""

    def __init__(self, why: str, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.why = why
        self.wait = wait


@dataclass(frozen=True, slots=True)
class ReadOf(Generic[T]):
    """What was read, and as of when: the start of the last tick that had closed before, µs since 1970. `latest`: the
    last tick that a stamp in it is believed to be of. `nameless`: why nobody knows of each of some rows what they are
    of, so that it proves nothing."""

    what: T
    as_of: int
    latest: int
    nameless: Sequence[str] = ()


def unread(run: Run, error: NoReadError) -> Run:
    """Return a run once a page of its was no read. Of one whose list has dates that jump it is told."""
    breaches = (*run.breaches, "clock") if error.why == "clock" and "clock" not in run.breaches else run.breaches
    return structs.replace(run, tries=run.tries + 1, breaches=breaches)


def without_names(run: Run, nameless: Sequence[str]) -> Run:
    """Return a run once a page of its had rows of which nobody knows what they are of."""
    if not nameless:
        return run
    return structs.replace(
        run, nameless=run.nameless + len(nameless), unread=nameless[0] if not run.nameless else run.unread
    )


class Asking:
    """Asks one provider for one scope."""

    def __init__(self, listing: Lists, budget: Budget, stamps: Stamps, holding: Holding) -> None:
        self.listing = listing
        self._budget = budget
        self._stamps = stamps
        self._dry = Stamps(listing.facts)  # what a dry run reads dates no other read
        self._holding = holding

    async def page(self, cursor: str | None, limit: int, *, tries: int, is_dry: bool = False) -> ReadOf[Page]:
        """Read a page of the whole list. `is_dry`: nothing is kept of when that was. NoReadError."""
        call = partial(self.listing.list_page, cursor=cursor, limit=limit)
        return await self._read(partial(self._page, call), Priority.BULK, tries, is_dry=is_dry)

    async def changed(self, since: datetime, cursor: str | None, limit: int, *, tries: int) -> ReadOf[Page]:
        """Read a page of what has changed since then. The list that is filtered may trail what it is made of."""
        filters: Filters = self.listing  # type: ignore[assignment]
        call = partial(filters.list_changed, since=since, cursor=cursor, limit=limit)
        found = await self._read(partial(self._page, call), Priority.VERIFY, tries)
        return replace(found, as_of=found.as_of - self.listing.facts.index_ticks)

    async def one(self, key: str, *, tries: int = 0) -> ReadOf[Answer]:
        """Read one item. NoReadError."""
        return await self._read(partial(self._answer, key), Priority.VERIFY, tries)

    async def _page(self, call: Callable[[], Awaitable[Page]]) -> tuple[Page, Sequence[str]]:
        return sound_page(await call(), by_key=self.listing.facts.order is Order.KEY)

    async def _answer(self, key: str) -> tuple[Answer, Sequence[str]]:
        return sound_answer(await self.listing.get_one(key), key), ()

    async def _read(
        self,
        call: Callable[[], Awaitable[tuple[T, Sequence[str]]]],
        priority: Priority,
        tries: int,
        *,
        is_dry: bool = False,
    ) -> ReadOf[T]:
        await self._budget.take(priority)
        record = await self._holding.record()
        began = self._now()
        try:
            found, nameless = await call()
            date = None if found.server_date is None else microseconds(found.server_date)
        except RateLimitedError as error:
            seconds = None if error.retry_after is None else error.retry_after.total_seconds()
            raise NoReadError("rate", str(error), await self._budget.limit(seconds, tries)) from error
        except CursorExpiredError as error:
            raise NoReadError("cursor", str(error) or "the cursor has expired") from error
        except NotAuthorisedError as error:
            raise NoReadError("authorisation", str(error) or "the credentials are refused") from error
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            raise NoReadError("unavailable", text[:500], self._budget.fail(tries)) from error
        if date is None:
            raise NoReadError("date", "the answer has no Date", 1.0)
        asked = Asked(began=began, ended=self._now(), wall=self._holding.now, date=date)
        as_of = await self._stamp(asked, record, is_dry=is_dry)
        return ReadOf(found, as_of, latest(date, self.listing.facts), nameless)

    async def _stamp(self, asked: Asked, record: Record, *, is_dry: bool) -> int:
        """Return as of when a read is. `record`: as it was before. NoReadError if its date is not believed."""
        stamps = self._dry if is_dry else self._stamps
        stamp = stamps.stamp(asked, least=record.least, kept=record.line)
        agreed = stamps.agreed(asked)
        is_afresh = stamp is not None and stamp.is_afresh
        if not is_dry and (is_afresh or (agreed is not None and agreed.is_news(record.line))):
            await self._holding.set_line(agreed, least=stamp.as_of if stamp is not None and is_afresh else None)
        if stamp is None:
            await self._holding.breach("clock")
            raise NoReadError("clock", self._doubt(asked, is_first=agreed is None), 1.0)
        return stamp.as_of

    def _doubt(self, asked: Asked, *, is_first: bool) -> str:
        """Return why a date is not believed, in words. `is_first`: none was believed before."""
        ahead, most = (asked.date or 0) - asked.wall, most_ahead(self.listing.facts)
        if ahead <= most and is_first:
            return f"the first Date is {ahead // SECOND:,} s ahead of this machine's clock: another one has to agree"
        if ahead <= most:
            return "the Date of the answer jumped"
        return (
            f"the Date of the answer is {ahead // SECOND:,} s ahead of this machine's clock, and no more than "
            f"{most // SECOND:,} s are believed: set the clock that is wrong, or declare its clock_skew"
        )

    def _now(self) -> int:
        return int(self._holding.ports.clock.monotonic() * 1_000_000)
