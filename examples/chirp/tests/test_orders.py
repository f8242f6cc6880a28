from __future__ import annotations

from datetime import timedelta

from chirp.events import OrderPaid, OrderPlaced, OrderRefunded, OrderShipped
from chirp.orders import Account, Order
from tidings.testing import Scenario


def test_an_order_ends_the_same_in_every_order_of_arrival(scenario: Scenario) -> None:
    scenario.shuffle(
        OrderPlaced("7", 1, "jack", "rose"),
        OrderPaid("7", 2, "jack", 500),
        OrderShipped("7", 3),
        OrderRefunded("7", 4, "jack", 200),
        orders=12,
    )
    assert scenario.rows(Order) == [Order("7", "jack", "rose", "refunded", 500, 200, 4)]
    assert scenario.rows(Account) == [Account("jack", 500, 200)]


def test_the_revision_decides_and_not_the_clock_of_till(scenario: Scenario) -> None:
    scenario.when(OrderShipped("7", 3), at=scenario.now - timedelta(days=3))
    scenario.when(OrderPaid("7", 2, "jack", 500), at=scenario.now + timedelta(minutes=3))
    scenario.when(OrderPlaced("7", 1, "jack", "rose"))
    assert scenario.rows(Order, order_id="7") == [Order("7", "jack", "rose", "shipped", 500, 0, 3)]


def test_money_that_is_told_twice_is_counted_once(scenario: Scenario) -> None:
    scenario.when(OrderPaid("7", 2, "jack", 500), id="till-1")
    scenario.duplicate()
    assert scenario.rows(Account) == [Account("jack", 500, 0)]
