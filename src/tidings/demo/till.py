"""What Till, the payment provider, does: orders that are placed, paid, shipped, given back, deleted. Pure."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

ITEMS = ("mug", "shirt", "poster", "sticker")
DELETED = 0.03
"""How often one of the cancelled orders is deleted, beside all else that happens. Of that Till tells nobody."""
CLOCK_ERROR_MAX = 12 * 3_600_000_000
"""By how many µs Till's clock is wrong at most, either way."""

Told = tuple[str, dict[str, Any]]


class Till:
    """Draws what happens next. Each order has a revision of its own, counted from 1, and is told whole."""

    def __init__(self, random: Random, *, orders: int, buyer: Callable[[], str]) -> None:
        self._random = random
        self._buyer = buyer
        self._unplaced = [f"order-{n}" for n in reversed(range(orders))]
        self._open: list[_Order] = []
        self._cancelled: list[str] = []
        self._has_deleted = False

    def next(self) -> Told | None:
        """Return type and data of the next event; None if every order has come to its end."""
        if self._cancelled and (not self._has_deleted or self._random.random() < DELETED):
            self._has_deleted = True
            return "order-deleted", {"order_id": self._cancelled.pop()}
        if self._unplaced and (not self._open or self._random.random() < 0.45):
            name, item = self._unplaced.pop(), self._random.choice(ITEMS)
            order = _Order(name, self._buyer(), item, self._random.randrange(100, 9_900, 50))
            self._open.append(order)
            return order.told("order-placed")
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
                self._cancelled.append(order.order_id)
                return order.ended("order-cancelled")
            order.paid = order.cents
            return order.told("order-paid")
        if order.state == "order-paid" and chance < 0.85:
            return order.ended("order-shipped") if chance < 0.6 else order.told("order-shipped")
        order.refunded = order.cents // (1 if chance < 0.5 else 2)
        return order.ended("order-refunded")


class _Order:
    def __init__(self, order_id: str, user_id: str, item: str, cents: int) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.item = item
        self.cents = cents
        self.state = ""
        self.paid = 0
        self.refunded = 0
        self.has_ended = False
        self._revision = 0

    def told(self, type: str) -> Told:
        self.state = type
        self._revision += 1
        who = {"order_id": self.order_id, "revision": self._revision, "user_id": self.user_id, "item": self.item}
        return type, {**who, "paid": self.paid, "refunded": self.refunded}

    def ended(self, type: str) -> Told:
        self.has_ended = True
        return self.told(type)
