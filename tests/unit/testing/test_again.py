"""The same again, in other orders, and after a crash: what must change nothing, and what is said if it does."""

from __future__ import annotations

import gc

import pytest

from tests.unit.testing.shop import (
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    Shop,
    counting,
    overwriting,
    waiting,
)
from tidings import App, Context, Service
from tidings.errors import CallerError, RefusedError
from tidings.testing import Scenario
from tidings.testing.deaths import POINTS

FOR_CALLS = [point for point in POINTS if point.startswith("delivery:")]
FOR_EVENTS = [point for point in POINTS if point not in FOR_CALLS]


def test_a_handler_that_may_run_twice_is_redelivered_in_peace() -> None:
    with Scenario(Shop().app) as story:
        story.when(OrderPlaced("1", 5))
        story.redeliver()
        story.then(OrderConfirmed("1"))


def test_a_handler_that_adds_up_is_caught_by_redelivery() -> None:
    with Scenario(counting()) as story:
        story.when(OrderPlaced("1", 5))
        with pytest.raises(AssertionError) as failed:
            story.redeliver()
    said = str(failed.value).splitlines()
    assert (
        said[0]
        == "a handler that ran again for the same event changed something:   - the first time, + the second time"
    )
    assert said[1:4] == ["  table ledger_total:", "  - ('1', 5)", "  + ('1', 10)"]
    assert "take times and ids from ctx" in said[4]


def test_a_handler_that_emits_something_else_the_second_time_is_caught_by_redelivery() -> None:
    calls: list[str] = []
    service = Service("shop", emits=[OrderConfirmed])

    @service.on(OrderPlaced)
    async def confirm(event: OrderPlaced, ctx: Context) -> None:
        calls.append("")
        await ctx.emit(OrderConfirmed(event.order_id, by=f"clerk {len(calls)}"))

    with Scenario(App(service)) as story:
        story.when(OrderPlaced("1", 5))
        with pytest.raises(AssertionError, match="it raised ConflictError"):
            story.redeliver()


def test_events_that_come_twice_change_nothing() -> None:
    with Scenario(counting()) as story:
        story.when(OrderPlaced("1", 5), OrderPlaced("2", 7))
        story.duplicate()
        assert story.sql("SELECT * FROM ledger_total ORDER BY account") == [("1", 5), ("2", 7)]


def test_nothing_can_be_handed_in_again_before_something_was() -> None:
    with Scenario(counting()) as story, pytest.raises(RefusedError, match=r"say scenario\.when\(event\) first"):
        story.duplicate()


def test_what_folds_decide_ends_the_same_in_every_order() -> None:
    shop = Shop()
    with Scenario(shop.app) as story:
        story.given(OrderPlaced("0", 1))
        story.shuffle(OrderPlaced("1", 5), OrderCancelled("1"), OrderPlaced("1", 7))
        assert story.rows(shop.order) == [shop.order("0", 1), shop.order("1", 7)]  # type: ignore[arg-type]
        story.then(OrderConfirmed("1"), OrderConfirmed("1"))


def test_a_handler_to_which_order_matters_is_caught_by_shuffling() -> None:
    with Scenario(overwriting()) as story:
        with pytest.raises(AssertionError) as failed:
            story.shuffle(OrderPlaced("1", 5), OrderCancelled("1"))
        assert story.sql("SELECT * FROM ledger_total") == [("1", 0)]  # as written
    assert str(failed.value).splitlines()[:8] == [
        "1 of 2 orders of arrival end otherwise than the order written. One of them:",
        "  2. OrderCancelled(order_id='1')",
        "  1. OrderPlaced(order_id='1', cents=5)",
        "It ends with:   - arrived as written, + arrived so",
        "  table ledger_total:",
        "  - ('1', 0)",
        "  + ('1', 5)",
        failed.value.args[0].splitlines()[7],
    ]
    assert "A handler sees events as they arrive" in str(failed.value)


def test_a_handler_that_waits_by_failing_is_given_its_retries_before_ends_are_compared() -> None:
    with Scenario(waiting()) as story:
        story.shuffle(OrderPlaced("1", 5), OrderCancelled("2"))
        assert story.dead_letters == []


def test_a_subject_that_waits_for_its_own_later_event_is_caught_by_shuffling() -> None:
    with Scenario(waiting()) as story, pytest.raises(AssertionError, match=r"(?s)dead letters:.*desk: OrderPlaced"):
        story.shuffle(OrderPlaced("1", 5), OrderCancelled("1"))


def test_many_events_are_shuffled_in_so_many_orders_by_the_seed() -> None:
    arrived: list[str] = []
    service = Service("desk")

    @service.on(OrderPlaced)
    async def note(event: OrderPlaced, ctx: Context) -> None:
        arrived.append(event.order_id)

    app = App(service)

    def orders(seed: int) -> list[str]:
        arrived.clear()
        with Scenario(app, seed=seed) as story:
            story.shuffle(*(OrderPlaced(f"{n}", n) for n in range(6)), orders=5)
        return ["".join(arrived[n : n + 6]) for n in range(0, len(arrived), 6)]

    first = orders(1)
    assert len(set(first)) == len(first) == 5
    assert first[-1] == "012345"
    assert orders(1) == first != orders(2)


@pytest.mark.parametrize("point", FOR_EVENTS)
def test_after_a_crash_everything_happens_once(point: str, caplog: pytest.LogCaptureFixture) -> None:
    with Scenario(counting()) as story:
        story.crash_at(point)
        story.when(OrderPlaced("1", 5))
        assert story.sql("SELECT * FROM ledger_total") == [("1", 5)]
        assert story.dead_letters == []
    gc.collect()
    assert caplog.records == []  # a death on purpose is nobody's error


@pytest.mark.parametrize("point", FOR_CALLS)
def test_after_a_crash_a_call_is_made_at_least_once_with_its_key(point: str) -> None:
    shop = Shop()
    with Scenario(shop.app) as story:
        story.when(OrderPlaced("1", 5))
        story.crash_at(point)
        story.deliver()
        [intended] = story.deliveries
        assert intended.state == "delivered"
        assert {key for _, key, _ in shop.mails} == {intended.key}
        assert len(shop.mails) == (2 if point == "delivery:answered" else 1)


def test_a_command_is_called_again_by_whoever_had_no_answer() -> None:
    shop = Shop()

    async def confirm(app: App) -> None:
        async with app.unit("shop", key="k-1") as ctx:
            await ctx.emit(OrderConfirmed("9"))

    async def forgetful(app: App) -> None:
        async with app.unit("shop") as ctx:
            await ctx.emit(OrderConfirmed("9"))

    with Scenario(shop.app) as story:
        story.crash_at("unit:committed")
        story.when(confirm)
        story.then(OrderConfirmed("9"))
        story.crash_at("unit:committed")
        story.when(forgetful)
        story.then(OrderConfirmed("9"), OrderConfirmed("9"))  # without a key nobody knows that it is the same


def test_a_point_that_is_not_come_to_is_told() -> None:
    with Scenario(counting()) as story:
        story.crash_at("delivery:answered")
        with pytest.raises(AssertionError, match="was to die at delivery:answered, and never came to it"):
            story.when(OrderPlaced("1", 5))
        story.when(OrderPlaced("1", 5))


def test_a_point_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with Scenario(counting()) as story, pytest.raises(CallerError, match=r"no point 'unit:lunch'.*unit:committed"):
        story.crash_at("unit:lunch")


def test_a_crash_is_meant_for_what_happens_next_and_no_later() -> None:
    with Scenario(counting()) as story:
        story.crash_at("delivery:answered")
        with pytest.raises(ValueError, match="not today"):
            story.when(_refuse)
        story.when(OrderPlaced("1", 5))
        assert story.sql("SELECT * FROM ledger_total") == [("1", 5)]


def _refuse(app: App) -> None:
    raise ValueError("not today")
