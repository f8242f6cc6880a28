"""A provider of items with a clock by hand, which is as bad as it is told to be. A harness serves it over HTTP."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tidings.conformance.store_harness import StillClock
from tidings.reconciliation.rules.facts import Order, Paging, ProviderFacts, micros

SECOND = 1_000_000
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a provider does. `limit_max`: it refuses to list more at a time. `stamps`: the resolution of its times.
    `lag`: each read is as old as this; `index_lag`: a filtered list is older by this, too. `skew`: of the clock that
    stamps items against `Date`. `per_second`, `burst`: who asks more often is told to wait. `bumps`:
    its stamps move at all."""

    order: Order = Order.KEY
    paging: Paging = Paging.KEYSET
    limit_max: int = 100
    stamps: timedelta = timedelta(seconds=1)
    lag: timedelta = timedelta(0)
    index_lag: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)
    cursor_life: timedelta | None = None
    per_second: float = 25
    burst: int = 50
    bumps: bool = True

    @classmethod
    def worst(cls, facts: ProviderFacts) -> Behaviour:
        """Return what is as bad as these facts allow."""
        return cls(
            order=facts.order,
            paging=facts.paging,
            limit_max=facts.page_limit,
            stamps=facts.tick,
            lag=facts.replica_lag,
            index_lag=facts.index_lag,
            skew=facts.clock_skew,
            cursor_life=facts.cursor_life,
            per_second=facts.rate.per_second,
            burst=facts.rate.burst,
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `stamp`: when it was last changed, by the clock that stamps items and as exactly as that does, µs since
    1970."""

    key: str
    value: int
    created: int
    stamp: int

    @property
    def changed(self) -> datetime:
        """The time of the stamp."""
        return datetime.fromtimestamp(0, tz=UTC) + timedelta(microseconds=self.stamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the provider answers. `text`: the whole body if it is no list, else None. `cursor`: of the next page."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    items: Sequence[Item] = ()
    cursor: str | None = None
    text: str | None = None


class Provider:
    """Items, and how they came to be. `fault`: answers everything, while it is set. `age`: of its answers, seconds, as
    of a cache's."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.clock = StillClock()
        self.fault: Reply | None = None
        self.age = 0
        self._changes: list[tuple[int, str, Item | None]] = []
        self._made: dict[str, tuple[int, Sequence[Item]]] = {}
        self._tokens = float(behaviour.burst)
        self._refilled = self.clock.now_us()

    # what happens
    def put(self, key: str, value: int) -> None:
        """Make an item, or change it."""
        now, before = self.clock.now_us(), self._at(self.clock.now_us()).get(key)
        step = micros(self.behaviour.stamps)
        stamp = (now + micros(self.behaviour.skew)) // step * step
        if before is not None and not self.behaviour.bumps:
            stamp = before.stamp
        created = now if before is None else before.created
        self._changes.append((now, key, Item(key, value, created, stamp)))

    def delete(self, key: str) -> None:
        """Have an item no longer."""
        self._changes.append((self.clock.now_us(), key, None))

    def pass_time(self, span: timedelta) -> None:
        """Let so much time pass."""
        self.clock.move(span.total_seconds())

    def forget_cursors(self) -> None:
        """Let every cursor expire."""
        self._made.clear()

    # what is asked
    @property
    def date(self) -> datetime:
        """What time it says that it is."""
        return datetime.fromtimestamp(self.clock.now_us() // SECOND, tz=UTC)

    def list(self, *, limit: int, cursor: str | None = None, since: datetime | None = None) -> Reply:
        """Answer with a page. `since`: of the filtered list."""
        refused = self._refused(limit)
        if refused is not None:
            return refused
        made, start = (None, None) if cursor is None else (self._made.get(cursor), cursor)
        if self._is_expired(cursor, made):
            return self._reply(status=410, text=json.dumps({"error": "cursor_expired"}))
        fixed = made if self.behaviour.paging is Paging.SNAPSHOT else None
        items = self._listed(since) if fixed is None else fixed[1]
        begin = self._begin(items, start)
        chosen = items[begin : begin + limit]
        more = None
        if begin + limit < len(items):
            more = self._cursor(chosen[-1], begin + limit)
            self._made[more] = (self.clock.now_us(), items)
        return self._reply(items=chosen, cursor=more)

    def get(self, key: str) -> Reply:
        """Answer with one item, or with 404."""
        refused = self._refused(1)
        if refused is not None:
            return refused
        item = self._at(self.clock.now_us() - micros(self.behaviour.lag)).get(key)
        return self._reply(status=404, text="{}") if item is None else self._reply(items=[item])

    def place(self, item: Item) -> Place:
        """Return where an item stands in the list."""
        by: dict[Order, Place] = {Order.CREATED: (item.created, item.key), Order.UPDATED: (item.stamp, item.key)}
        return by.get(self.behaviour.order, (item.key,))

    def _listed(self, since: datetime | None) -> Sequence[Item]:
        at = self.clock.now_us() - micros(self.behaviour.lag)
        if since is None:
            return sorted(self._at(at).values(), key=self.place)
        found = self._at(at - micros(self.behaviour.index_lag)).values()
        return sorted((each for each in found if each.changed >= since), key=lambda each: (each.stamp, each.key))

    def _at(self, at: int) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for when, key, item in self._changes:
            if when > at:
                break
            found.pop(key, None)
            if item is not None:
                found[key] = item
        return found

    def _cursor(self, last: Item, count: int) -> str:
        if self.behaviour.paging is not Paging.KEYSET:
            return f"{self.behaviour.paging}:{len(self._made)}:{count}"
        return last.key if self.behaviour.order is Order.KEY else json.dumps(self.place(last))

    def _begin(self, items: Sequence[Item], cursor: str | None) -> int:
        if cursor is None:
            return 0
        if self.behaviour.paging is not Paging.KEYSET:
            return int(cursor.rpartition(":")[2])
        after = (cursor,) if self.behaviour.order is Order.KEY else tuple(json.loads(cursor))
        return bisect_right([self.place(each) for each in items], after)

    def _is_expired(self, cursor: str | None, made: tuple[int, Sequence[Item]] | None) -> bool:
        life = self.behaviour.cursor_life
        if cursor is None or (life is None and self.behaviour.paging is Paging.KEYSET):
            return False
        return made is None or (life is not None and self.clock.now_us() - made[0] > micros(life))

    def _refused(self, limit: int) -> Reply | None:
        if self.fault is not None:
            return replace(self.fault, headers={**self._reply().headers, **self.fault.headers})
        now, behaviour = self.clock.now_us(), self.behaviour
        filled = self._tokens + (now - self._refilled) / SECOND * behaviour.per_second
        self._tokens, self._refilled = min(float(behaviour.burst), filled), now
        if self._tokens < 1 - 1e-6:
            return replace(self._reply(status=429, text="{}"), headers={**self._reply().headers, "Retry-After": "1"})
        self._tokens -= 1
        return self._reply(status=400, text="{}") if limit > behaviour.limit_max else None

    def _reply(
        self, *, status: int = 200, items: Sequence[Item] = (), cursor: str | None = None, text: str | None = None
    ) -> Reply:
        headers = {"Date": format_datetime(self.date, usegmt=True)}
        if self.age:
            headers["Age"] = str(self.age)
        return Reply(status=status, headers=headers, items=items, cursor=cursor, text=text)
