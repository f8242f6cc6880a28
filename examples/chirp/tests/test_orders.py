from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chirp.events import OrderPaid, OrderRefunded, OrderShipped
from chirp.orders import Account
from tidings.testing import Scenario

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAID = OrderPaid("7", 2, NOON, "jack", "rose", 500, 0)
SHIPPED = OrderShipped("7", 3, NOON, "jack", "rose", 500, 0)
REFUNDED = OrderRefunded("7", 4, NOON, "jack", "rose", 500, 200)


def test_an_account_ends_the_same_in_every_order_of_arrival(scenario: Scenario) -> None:
    scenario.shuffle(PAID, SHIPPED, REFUNDED, orders=6)
    assert scenario.rows(Account) == [Account("jack", 500, 200, {"7": (4, 500, 200)})]


def test_the_revision_decides_and_not_the_clock_of_till(scenario: Scenario) -> None:
    scenario.when(REFUNDED, at=scenario.now - timedelta(days=3))
    scenario.when(PAID, at=scenario.now + timedelta(minutes=3))
    assert scenario.rows(Account) == [Account("jack", 500, 200, {"7": (4, 500, 200)})]


def test_money_that_is_told_twice_is_counted_once(scenario: Scenario) -> None:
    scenario.when(PAID, id="till-1")
    scenario.duplicate()
    assert scenario.rows(Account) == [Account("jack", 500, 0, {"7": (2, 500, 0)})]


def test_what_was_never_told_is_made_up_for_by_what_is_told_next(scenario: Scenario) -> None:
    scenario.when(REFUNDED)
    scenario.when(OrderPaid("8", 2, NOON, "jack", "mug", 100, 0))
    assert scenario.rows(Account) == [Account("jack", 600, 200, {"7": (4, 500, 200), "8": (2, 100, 0)})]
