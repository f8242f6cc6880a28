"""What Till knows: its orders, changed one happening after the other in the order they truly happen, and how they came
to be so. Whatever Till lists or tells is read from here."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tidings.demo.history import Happening
from tidings.ports import Clock

Order = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What an order became. `at`: when, µs since 1970; `order`: None if it was deleted."""

    order_id: str
    at: int
    order: Order | None


class Table:
    """Till's orders. Each change has a moment of its own, so that none is as new as another."""

    def __init__(self, happenings: Sequence[Happening], clock: Clock) -> None:
        self.changes: list[Change] = []
        self.orders: dict[str, Order] = {}
        self._happenings = happenings
        self._place = {happening.id: place for place, happening in enumerate(happenings)}
        self._ids: list[str] = []
        self._clock = clock
        self._last = 0

    def happen(self, id: str | None = None) -> Order:
        """Let all happen up to this; None: all there is. Return the order as it was then."""
        place = len(self._happenings) - 1 if id is None else self._place[id]
        while len(self.changes) <= place:
            self._change(self._happenings[len(self.changes)])
        return {} if place < 0 else self.changes[place].order or {}

    def page(self, *, after: str, limit: int) -> tuple[list[Order], bool]:
        """Return so many orders behind this one, by their ids, and whether there are more."""
        start = bisect_right(self._ids, after)
        ids = self._ids[start : start + limit]
        return [self.orders[id] for id in ids], start + limit < len(self._ids)

    def _change(self, happening: Happening) -> None:
        id = happening.data["order_id"]
        self._last = max(self._clock.now_us(), self._last + 1)
        order: Order | None = None
        if happening.type == "order-deleted":
            self._ids.remove(id)
            del self.orders[id]
        else:
            if id not in self.orders:
                insort(self._ids, id)
            state = happening.type.removeprefix("order-")
            order = {**happening.data, "state": state, "updated_at": _text(self._last)}
            self.orders[id] = order
        self.changes.append(Change(id, self._last, order))


def _text(at: int) -> str:
    moment = datetime.fromtimestamp(at // 1_000_000, tz=UTC) + timedelta(microseconds=at % 1_000_000)
    return moment.isoformat(timespec="microseconds")
