"""What Till, the payment provider, does and tells: orders that are placed, paid, shipped, given back. Pure."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

ITEMS = ("mug", "shirt", "poster", "sticker")
CLOCK_ERROR_MAX = 12 * 3_600_000_000
"""By how many µs Till's clock is wrong at most, either way."""

Told = tuple[str, dict[str, Any]]


class Till:
    """Draws what Till tells next. Each order has a revision of its own, counted from 1."""

    def __init__(self, random: Random, *, orders: int, buyer: Callable[[], str]) -> None:
        self._random = random
        self._buyer = buyer
        self._unplaced = [f"order-{n}" for n in reversed(range(orders))]
        self._open: list[_Order] = []

    def next(self) -> Told | None:
        """Return type and data of the next event; None if every order has come to its end."""
        if self._unplaced and (not self._open or self._random.random() < 0.45):
            order = _Order(self._unplaced.pop(), self._buyer(), self._random.randrange(100, 9_900, 50))
            self._open.append(order)
            return order.told("order-placed", user_id=order.user_id, item=self._random.choice(ITEMS))
        if not self._open:
            return None
        place = self._random.randrange(len(self._open))
        told = self._moved(self._open[place])
        if self._open[place].has_ended:
            self._open[place] = self._open[-1]
            self._open.pop()
        return told

    def clock_error(self) -> int:
        """Return by how many µs Till's clock is wrong just now."""
        return self._random.randint(-CLOCK_ERROR_MAX, CLOCK_ERROR_MAX)

    def _moved(self, order: _Order) -> Told:
        chance = self._random.random()
        if order.state == "order-placed":
            if chance < 0.15:
                return order.ended("order-cancelled")
            return order.told("order-paid", user_id=order.user_id, cents=order.cents)
        if order.state == "order-paid" and chance < 0.85:
            return order.ended("order-shipped") if chance < 0.6 else order.told("order-shipped")
        return order.ended("order-refunded", user_id=order.user_id, cents=order.cents // (1 if chance < 0.5 else 2))


class _Order:
    def __init__(self, order_id: str, user_id: str, cents: int) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.cents = cents
        self.state = ""
        self.has_ended = False
        self._revision = 0

    def told(self, type: str, **data: object) -> Told:
        self.state = type
        self._revision += 1
        return type, {"order_id": self.order_id, "revision": self._revision, **data}

    def ended(self, type: str, **data: object) -> Told:
        self.has_ended = True
        return self.told(type, **data)
