"""A provider as the model has it: what each item went through, what is listed of that, and how it fails, lags, lies."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from tests.unit.reconciliation.declared import facts
from tests.unit.reconciliation.shop import SECOND, OrderGone, OrderSeen
from tests.unit.reconciliation.virtual import VirtualClock
from tidings.errors import CursorExpiredError, ProviderUnavailableError, RateLimitedError
from tidings.events.envelope import Envelope
from tidings.ports import utc
from tidings.reconciliation.listing import Answer, Page, Row, Snapshot
from tidings.reconciliation.rules.facts import Capability, Paging, ProviderFacts, Rate

KEYS = [f"o{n:02}" for n in range(16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of provider. `lag`, `index_lag`: how far reads really trail, s; `claims`: what it declares otherwise.

    `errors`: how many calls end in 429, 500, 503 or a body that is none. `is_busy`: four times as much changes, and of
    its webhooks more come late. `page`: how many rows a page has at most; of all 16 a closing page shows all that has
    changed. `every`: how often the list is read, s. `is_close`: three at once read single items, and the copy takes in
    at once what is appended: so what one read shows meets what others do. `returns`: what was deleted comes back as it
    was.
    """

    capability: Capability = Capability.VERSIONED
    tick: float = 1.0
    lag: float = 0.0
    index_lag: float = 0.0
    paging: Paging = Paging.KEYSET
    cursor_life: float | None = None
    seekable: bool = True
    errors: float = 0.0
    short: float = 0.0
    changes: bool = False
    is_stressed: bool = False
    is_busy: bool = False
    is_close: bool = False
    returns: bool = False
    page: int = 4
    every: float = 15.0
    drops: float = 0.0
    empties: float = 0.0
    denies: float = 0.0
    claims: tuple[tuple[str, Any], ...] = ()

    def facts(self) -> ProviderFacts:
        """Return what it declares."""
        given: dict[str, Any] = {
            "capability": self.capability,
            "paging": self.paging,
            "page_limit": self.page,
            "tick": timedelta(seconds=self.tick),
            "replica_lag": timedelta(seconds=self.lag),
            "index_lag": timedelta(seconds=self.index_lag),
            "seekable": self.seekable,
            "cursor_life": None if self.cursor_life is None else timedelta(seconds=self.cursor_life),
            "filters_by_change": self.changes,
            "rate": Rate(per_second=100, burst=1_000, bulk_share=0.012),
        }
        return facts(**{**given, **dict(self.claims)})


@dataclass
class Truth:
    """What each key went through: (time in µs, amount; None where it was deleted). `of`: the index of each amount."""

    clock: VirtualClock
    history: dict[str, list[tuple[int, int | None]]] = field(default_factory=lambda: {key: [] for key in KEYS})
    of: dict[tuple[str, int], int] = field(default_factory=dict)

    def changed(self, key: str, at: int, amount: int | None) -> None:
        """Change an item, or delete it."""
        if amount is not None:
            self.of[key, amount] = len(self.history[key])
        self.history[key].append((at, amount))

    def index(self, key: str, at: int) -> int:
        """Return the last change made by then; -1 if there was none."""
        return bisect_right(self.history[key], at, key=lambda each: each[0]) - 1

    def state(self, key: str, at: int) -> tuple[int, int] | None:
        """Return when an item was changed last by then, and to what; None if there was none."""
        index = self.index(key, at)
        changed, amount = self.history[key][index] if index >= 0 else (0, None)
        return None if amount is None else (changed, amount)


class Till:
    """The adapter of such a provider, and the provider."""

    def __init__(self, kind: Kind, truth: Truth, draw: random.Random) -> None:
        self.kind, self.truth, self.draw = kind, truth, draw
        self.facts = kind.facts()
        self.is_calm = False
        self._denies_until = 0.0
        self._numbers = count()
        self._kept: dict[str, dict[str, tuple[int, int]]] = {}

    async def _reading(self) -> tuple[int, datetime]:
        """Take the time that a call takes; return the moment whose truth it shows, and what the answer's Date says."""
        await asyncio.sleep(self.draw.uniform(0.001, 0.4))
        if self._happens(self.kind.errors):
            raise self._trouble()
        now = self.truth.clock.now_us()
        shown = now - int(self.draw.uniform(0, self.kind.lag) * SECOND)
        date = (now + int(self.draw.uniform(0, 0.1) * SECOND)) // SECOND * SECOND
        return shown, utc(date)

    async def _page(self, rows: list[Row], cursor: str | None, date: datetime) -> Page:
        await self._come_back()
        return Page(rows=rows, next_cursor=cursor, server_date=date)

    async def _come_back(self) -> None:
        await asyncio.sleep(self.draw.uniform(0.101, 0.4))
        if self._happens(self.kind.errors / 4):
            raise ValueError("<h1>it is no JSON")

    def _trouble(self) -> Exception:
        if self.draw.random() < 0.5:
            return ProviderUnavailableError(self.draw.choice(("500", "503")))
        after = timedelta(seconds=self.draw.randrange(1, 4)) if self.draw.random() < 0.5 else None
        return RateLimitedError(after)

    def _happens(self, share: float) -> bool:
        return not self.is_calm and share > 0 and self.draw.random() < share

    def _there(self, at: int) -> dict[str, tuple[int, int]]:
        return {key: state for key in KEYS if (state := self.truth.state(key, at)) is not None}

    def _row(self, key: str, state: tuple[int, int]) -> Row:
        changed, amount = state
        version = utc(changed // self.facts.tick_us * self.facts.tick_us)
        is_versioned = self.kind.capability is Capability.VERSIONED
        return Row(key=key, state={"order_id": key, "amount": amount}, version=version if is_versioned else None)

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        at, date = await self._reading()
        place, kept = self._place(cursor)
        there = self._there(at) if kept is None else self._kept[kept]
        if self.kind.paging is Paging.SNAPSHOT and kept is None:
            kept = f"kept{next(self._numbers)}"
            self._kept[kept] = there
        keys = sorted(there)
        start = int(place) if self._counts else bisect_right(keys, place)
        chosen = keys[start : start + (self.draw.randrange(4) if self._happens(self.kind.short) else limit)]
        is_last = start + limit >= len(keys) and chosen == keys[start:]
        after = str(start + len(chosen)) if self._counts else (chosen[-1] if chosen else place)
        rows = [self._row(key, there[key]) for key in chosen]
        if self._happens(self.kind.drops):
            rows = [row for row in rows if self.draw.random() < 0.6]
        if self._happens(self.kind.empties):
            rows, is_last = ([], True) if self.draw.random() < 0.5 else (rows, True)
        return await self._page(rows, None if is_last else self._cursor(after, kept), date)

    @property
    def _counts(self) -> bool:
        return self.kind.paging is Paging.OFFSET or dict(self.kind.claims).get("paging") is Paging.KEYSET

    def _cursor(self, place: str, kept: str | None) -> str:
        return f"{place} {kept or '-'} {self.truth.clock.now_us()} {next(self._numbers)}"

    def _place(self, cursor: str | None) -> tuple[str, str | None]:
        if cursor is None:
            return "0" if self._counts else "", None
        place, kept, issued, _ = cursor.split(" ")
        life = self.kind.cursor_life
        if life is not None and not self.is_calm and self.truth.clock.now_us() - int(issued) > life * SECOND:
            raise CursorExpiredError
        return place, None if kept == "-" else kept

    def cursor_after(self, order_key: object) -> str:
        return self._cursor(str(order_key), None)

    async def list_changed(self, *, since: datetime, cursor: str | None, limit: int) -> Page:
        at, date = await self._reading()
        there = self._there(at - int(self.draw.uniform(0, self.kind.index_lag) * SECOND))
        tick = self.facts.tick_us
        found = sorted((f"{changed // tick * tick:020}|{key}", key) for key, (changed, _) in there.items())
        begun = f"{int(since.timestamp() * SECOND + 0.5):020}"
        place = begun if cursor is None else self._place(cursor)[0]
        found = [each for each in found if each[0] >= begun and each[0] > place]
        chosen = found[: self.draw.randrange(4) if self._happens(self.kind.short) else limit]
        rows = [self._row(key, there[key]) for _, key in chosen]
        is_last = len(chosen) == len(found)
        after = chosen[-1][0] if chosen else place
        return await self._page(rows, None if is_last else self._cursor(after, None), date)

    async def get_one(self, key: str) -> Answer:
        at, date = await self._reading()
        now = asyncio.get_running_loop().time()
        if self._happens(self.kind.denies):
            self._denies_until = now + 4.0
        state = None if now < self._denies_until else self.truth.state(key, at)
        await self._come_back()
        return Answer(row=None if state is None else self._row(key, state), server_date=date)

    def observed(self, row: Row) -> OrderSeen:
        return OrderSeen(row.key, row.state["amount"], row.version if isinstance(row.version, datetime) else utc(0))

    def deleted(self, key: str) -> OrderGone:
        return OrderGone(key)

    def read(self, event: Any, envelope: Envelope) -> Snapshot:
        if isinstance(event, OrderSeen):
            state = {"order_id": event.order_id, "amount": event.amount}
            return Snapshot(key=event.order_id, state=state, at=event.updated_at)
        return Snapshot(key=event.order_id, state=None, at=event.at)
