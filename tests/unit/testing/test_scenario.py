from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.testing.shop import OrderCancelled, OrderConfirmed, OrderPlaced, Shop
from tidings import App, ConflictError, DeclarationError, NotRetryable, Service, event
from tidings.errors import RefusedError
from tidings.testing import Scenario


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def scenario(shop: Shop) -> Iterator[Scenario]:
    with Scenario(shop.app) as story:
        yield story


def test_what_is_emitted_is_what_then_says(scenario: Scenario) -> None:
    scenario.when(OrderPlaced("1", 5))
    scenario.then(OrderConfirmed("1"))


def test_other_events_are_told_apart_line_by_line(scenario: Scenario) -> None:
    scenario.when(OrderPlaced("1", 5), OrderPlaced("2", 5))
    with pytest.raises(AssertionError) as failed:
        scenario.then(OrderConfirmed("1"), OrderConfirmed("2", by="till"))
    assert str(failed.value).splitlines() == [
        "expected 2 events to be emitted, came 2:   - expected, + came",
        "    OrderConfirmed(order_id='1', by='shop')",
        "  - OrderConfirmed(order_id='2', by='till')",
        "  + OrderConfirmed(order_id='2', by='shop')",
        "(seed 0)",
    ]


def test_the_order_of_what_is_emitted_counts(scenario: Scenario) -> None:
    scenario.when(OrderPlaced("1", 5), OrderPlaced("2", 5))
    with pytest.raises(AssertionError, match="the same events, in another order"):
        scenario.then(OrderConfirmed("2"), OrderConfirmed("1"))


def test_an_event_that_nobody_expected_is_a_failure(scenario: Scenario) -> None:
    scenario.when(OrderPlaced("1", 5))
    with pytest.raises(AssertionError, match="expected no events"):
        scenario.then_nothing()


def test_an_event_that_did_not_come_is_a_failure_and_says_what_went_wrong(shop: Shop, scenario: Scenario) -> None:
    shop.failures += [ValueError("the till is shut")] * 2
    scenario.when(OrderPlaced("1", 5))
    with pytest.raises(AssertionError) as failed:
        scenario.then(OrderConfirmed("1"))
    assert "(nothing was emitted)" in str(failed.value)
    assert (
        "shop set aside OrderPlaced(order_id='1', cents=5), retrying after 1 attempt: ValueError: the till is shut"
        in (str(failed.value))
    )
    assert scenario.dead_letters


def test_then_begins_where_the_last_then_ended(scenario: Scenario) -> None:
    scenario.when(OrderPlaced("1", 5))
    scenario.when(OrderPlaced("2", 5))
    scenario.then(OrderConfirmed("1"), OrderConfirmed("2"))
    scenario.then_nothing()


def test_what_follows_from_history_is_history(scenario: Scenario) -> None:
    scenario.given(OrderPlaced("1", 5))
    scenario.then_nothing()
    assert scenario.deliveries == []
    scenario.when(OrderCancelled("1"))
    scenario.then_nothing()


def test_rows_are_those_of_the_view_and_can_be_chosen(shop: Shop, scenario: Scenario) -> None:
    scenario.when(OrderPlaced("1", 5), OrderPlaced("2", 7), OrderCancelled("3"))
    assert scenario.rows(shop.order) == [shop.order("1", 5), shop.order("2", 7)]  # type: ignore[arg-type]
    assert scenario.rows(shop.order, cents=7) == [shop.order("2", 7)]  # type: ignore[arg-type]


def test_rows_of_what_is_no_view_are_refused(scenario: Scenario) -> None:
    with pytest.raises(DeclarationError, match=r"OrderPlaced is no view of this app, which has .*Order"):
        scenario.rows(OrderPlaced)


def test_a_late_event_has_its_own_time(shop: Shop, scenario: Scenario) -> None:
    scenario.given(OrderCancelled("1"))
    scenario.when(OrderPlaced("1", 5), at=scenario.now - timedelta(days=1))
    assert scenario.rows(shop.order) == []  # type: ignore[arg-type]
    scenario.when(OrderPlaced("1", 5))
    assert scenario.rows(shop.order) == [shop.order("1", 5)]  # type: ignore[arg-type]


def test_time_stands_until_it_is_moved(scenario: Scenario) -> None:
    assert scenario.now == datetime(2026, 1, 1, 12, tzinfo=UTC)
    scenario.advance(hours=1, seconds=0.5)
    assert scenario.now == datetime(2026, 1, 1, 13, 0, 0, 500_000, tzinfo=UTC)
    scenario.when(OrderPlaced("1", 5))
    assert scenario.now == datetime(2026, 1, 1, 13, 0, 0, 501_000, tzinfo=UTC)


def test_time_never_goes_back(scenario: Scenario) -> None:
    before = scenario.now
    scenario.advance(hours=-1)
    assert scenario.now == before


def test_however_much_time_passes_the_process_keeps_what_it_reads(shop: Shop, scenario: Scenario) -> None:
    scenario.given(OrderPlaced("1", 5))
    scenario.advance(days=1)
    shop.failures += [ValueError("no")] * 2
    scenario.when(OrderPlaced("2", 5))
    assert shop.failures == []  # in the page, and alone; one that took over from a dead one would walk carefully
    assert len(scenario.dead_letters) == 1


def test_the_same_id_is_the_same_event_and_other_content_is_refused(scenario: Scenario) -> None:
    at = scenario.now
    scenario.when(OrderPlaced("1", 5), id="a", at=at)
    scenario.when(OrderPlaced("1", 5), id="a", at=at)
    scenario.then(OrderConfirmed("1"))
    with pytest.raises(ConflictError):
        scenario.when(OrderPlaced("1", 6), id="a", at=at)


def test_a_command_returns_its_result_and_what_it_emits_is_emitted(scenario: Scenario) -> None:
    async def confirm(app: App) -> str:
        async with app.unit("shop") as ctx:
            return await ctx.emit(OrderConfirmed("9"))

    assert scenario.when(confirm)
    scenario.then(OrderConfirmed("9"))
    assert scenario.when(lambda app: len(app.services)) == 1


def test_what_a_command_raises_is_raised_and_nothing_of_it_is_kept(scenario: Scenario) -> None:
    async def refuse(app: App) -> None:
        async with app.unit("shop") as ctx:
            await ctx.emit(OrderConfirmed("9"))
            raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        scenario.when(refuse)
    scenario.then_nothing()


def test_what_failed_is_tried_again_when_time_passes(shop: Shop, scenario: Scenario) -> None:
    shop.failures += [ValueError("no")] * 4  # a page that fails is done again entry by entry: that is one attempt
    scenario.when(OrderPlaced("1", 5), OrderPlaced("1", 6))
    first, behind = scenario.dead_letters
    assert (first.event, first.state, first.reason) == (OrderPlaced("1", 5), "retrying", "handler-failed")
    assert behind.event == OrderPlaced("1", 6)
    scenario.then_nothing()
    scenario.advance(seconds=10)
    assert scenario.dead_letters[0].attempts >= 2
    scenario.advance(minutes=1)
    assert scenario.dead_letters == []
    scenario.then(OrderConfirmed("1"), OrderConfirmed("1"))


def test_after_all_attempts_an_event_is_dead(shop: Shop, scenario: Scenario) -> None:
    shop.failures += [ValueError("again")] * 10
    scenario.when(OrderPlaced("1", 5))
    scenario.advance(hours=1)
    [letter] = scenario.dead_letters
    assert (letter.state, letter.attempts) == ("dead", 6)
    assert len(shop.failures) == 3  # the first attempt was made twice: in the page, and alone


def test_not_retryable_is_dead_at_once(shop: Shop, scenario: Scenario) -> None:
    shop.failures.append(NotRetryable("no carrier"))
    shop.failures.append(NotRetryable("no carrier"))
    scenario.when(OrderPlaced("1", 5))
    assert [(each.state, each.reason) for each in scenario.dead_letters] == [("dead", "not-retryable")]


def test_a_failure_that_the_test_does_not_look_at_fails_it(shop: Shop) -> None:
    shop.failures += [ValueError("unseen")] * 2
    with pytest.raises(AssertionError, match=r"has not looked at scenario\.dead_letters:\n.*ValueError: unseen"):  # noqa: SIM117
        with Scenario(shop.app) as story:
            story.when(OrderPlaced("1", 5))
    with Scenario(shop.app):
        pass  # it was closed


def test_rows_are_not_shown_while_a_failure_is_not_looked_at(shop: Shop, scenario: Scenario) -> None:
    shop.failures += [ValueError("unseen")] * 2
    scenario.when(OrderPlaced("1", 5))
    with pytest.raises(AssertionError, match="unseen"):
        scenario.rows(shop.order)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="unseen"):
        scenario.then_nothing()
    assert len(scenario.dead_letters) == 1
    assert scenario.rows(shop.order) == [shop.order("1", 5)]  # type: ignore[arg-type]


def test_deliveries_are_shown_and_made_when_the_test_says_so(shop: Shop, scenario: Scenario) -> None:
    scenario.when(OrderPlaced("1", 5))
    [intended] = scenario.deliveries
    assert (intended.function, intended.payload, intended.state) == ("mail", {"about": "1"}, "due")
    assert shop.mails == []
    assert scenario.deliver() == 1
    assert shop.mails == [({"about": "1"}, intended.key, 1)]
    assert [each.state for each in scenario.deliveries] == ["delivered"]
    assert scenario.deliver() == 0


def test_a_call_that_fails_is_made_again_with_its_key_when_time_has_passed(shop: Shop, scenario: Scenario) -> None:
    shop.mail_failures.append(OSError("refused"))
    scenario.when(OrderPlaced("1", 5))
    assert scenario.deliver() == 1
    [failed] = scenario.deliveries
    assert (failed.state, failed.attempts, failed.error) == ("due", 1, "OSError: refused")
    assert scenario.deliver() == 0
    scenario.advance(seconds=7)
    assert scenario.deliver() == 1
    assert [(key, attempt) for _, key, attempt in shop.mails] == [(failed.key, 1), (failed.key, 2)]


def test_own_tables_are_asked_by_sql(scenario: Scenario) -> None:
    assert scenario.sql("SELECT ?", 7) == [(7,)]


def test_a_live_view_is_read_by_its_key() -> None:
    service = Service("names")

    @service.view(key=("order_id",), mode="live")
    class Total:
        order_id: str
        cents: int

    @service.fold(Total, OrderPlaced)
    def total(row: Total | None, event: OrderPlaced) -> Total:
        return Total(event.order_id, event.cents + (row.cents if row else 0))

    with Scenario(App(service)) as story:
        story.when(OrderPlaced("1", 5), OrderPlaced("1", 6))
        assert story.rows(Total, order_id="1") == [Total("1", 11)]
        assert story.rows(Total, order_id="2") == []


def test_an_async_test_is_told_to_be_none(scenario: Scenario) -> None:
    async def story() -> None:
        scenario.when(OrderPlaced("1", 5))

    import asyncio

    with pytest.raises(RefusedError, match=r"write `def test_…\(scenario\)`, not `async def`"):
        asyncio.run(story())


def test_an_app_lives_one_life_at_a_time(shop: Shop, scenario: Scenario) -> None:
    with pytest.raises(RefusedError, match="open already"):
        Scenario(shop.app)
    with pytest.raises(RefusedError, match=r"write Scenario\(app\)"):
        Scenario(shop.service)  # type: ignore[arg-type]


def test_what_is_no_event_is_refused_in_its_authors_words(scenario: Scenario) -> None:
    with pytest.raises(DeclarationError, match="OrderPlaced is a class"):
        scenario.when(OrderPlaced)
    with pytest.raises(DeclarationError):
        scenario.when("an order")


def test_two_scenarios_of_one_seed_are_the_same_to_the_letter(shop: Shop) -> None:
    def keys() -> list[str]:
        with Scenario(shop.app, seed=7) as story:
            story.when(OrderPlaced("1", 5))
            return [each.key for each in story.deliveries]

    assert keys() == keys()


def test_an_application_that_never_comes_to_rest_is_told() -> None:
    @event("bounced", subject="n")
    class Bounced:
        n: str

    service = Service("ball")

    @service.on(Bounced)
    async def again(event: Bounced, ctx: object) -> None:
        await ctx.emit(Bounced(event.n))  # type: ignore[attr-defined]

    with Scenario(App(service)) as story, pytest.raises(AssertionError, match="does not come to rest"):
        story.when(Bounced("1"))
