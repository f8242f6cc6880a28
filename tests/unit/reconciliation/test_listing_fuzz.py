"""What a provider lists is as little trusted as a webhook: whatever stands in a page, its run ends, deletes nothing
that is there and keeps what can be kept, and the next clean one is right."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.scale import SCALE
from tests.unit.reconciliation.shop import OrderSeen, Shop, shop
from tidings.reconciliation.listing import Answer, Page, Row
from tidings.reconciliation.rules.facts import Capability, Order

SEEDS = 12 * SCALE
ITEMS = 12


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


def with_state(**state: Any) -> Callable[[Row], Any]:
    return lambda row: replace(row, state={**row.state, **state})


ROWS: Mapping[str, Callable[[Row], Any]] = {
    "a member of another type": with_state(amount="many"),
    "no number": with_state(amount=float("nan")),
    "a number of 5,000 digits": with_state(amount=10**5_000),
    "a number beyond 64 bits": with_state(amount=2**63),
    "100,000 deep": with_state(amount=deep(100_000)),
    "another key inside": with_state(order_id="someone-else"),
    "no members": lambda row: replace(row, state={}),
    "no mapping": lambda row: replace(row, state=["order_id"]),
    "no state": lambda row: replace(row, state=None),
    "a long key": lambda row: replace(row, key="o" * 70_000, state={"order_id": "o" * 70_000, "amount": 1}),
    "a key with a NUL": lambda row: replace(row, key="o\0", state={"order_id": "o\0", "amount": 1}),
    "a key that is no text": lambda row: replace(row, key=7),
    "half a character": lambda row: replace(row, key="o\ud800", state={"order_id": "o\ud800", "amount": 1}),
    "no key": lambda row: replace(row, key=""),
    "a version without offset": lambda row: replace(row, version=datetime(2026, 1, 1)),  # noqa: DTZ001
    "a version that is a number": lambda row: replace(row, version=7),
    "a version from the future": lambda row: replace(row, version=datetime(9999, 12, 31, tzinfo=UTC)),
    "a version before all": lambda row: replace(row, version=datetime.min.replace(tzinfo=UTC)),
    "a place of another kind": lambda row: replace(row, order=7),
    "a place that is none": lambda row: replace(row, order=[{}]),
    "a huge place": lambda row: replace(row, order=2**70),
    "it is no row": lambda row: None,
}
PAGES: Mapping[str, Callable[[Page], Any]] = {
    "nothing": lambda page: replace(page, rows=[], next_cursor=None),
    "half of it": lambda page: replace(page, rows=page.rows[: len(page.rows) // 2]),
    "twice": lambda page: replace(page, rows=[*page.rows, *page.rows]),
    "the other way round": lambda page: replace(page, rows=page.rows[::-1]),
    "the same cursor again": lambda page: replace(page, next_cursor="after:"),
    "a cursor that is no text": lambda page: replace(page, next_cursor=7),
    "no end": lambda page: replace(page, next_cursor=page.next_cursor or "after:zzz"),
    "no date": lambda page: replace(page, server_date=None),
    "a date without offset": lambda page: replace(page, server_date=datetime(2026, 1, 1)),  # noqa: DTZ001
    "a date that is a text": lambda page: replace(page, server_date="today"),
    "a date from the future": lambda page: replace(page, server_date=datetime(9999, 12, 31, tzinfo=UTC)),
    "a count that is none": lambda page: replace(page, total="many"),
    "less than nothing": lambda page: replace(page, total=-1),
    "rows that are none": lambda page: replace(page, rows=7),
    "HTML": lambda page: "<h1>it is no page",
    "no page": lambda page: None,
}


ANSWERS: Mapping[str, Callable[[Answer], Any]] = {
    "HTML": lambda answer: "<h1>it is no answer",
    "no answer": lambda answer: None,
    "no date": lambda answer: replace(answer, server_date=None),
    "a date that is a text": lambda answer: replace(answer, server_date="today"),
    "a row that is none": lambda answer: replace(answer, row={"order_id": "o01"}),
    "another item": lambda answer: replace(answer, row=Row(key="o99", state={"order_id": "o99", "amount": 1})),
}


def bent_answer(draw: random.Random) -> Callable[[str, Answer], Any]:
    """Return the same for answers about one item."""

    def bend(key: str, answer: Answer) -> Any:
        if draw.random() < 0.7:
            return answer
        if answer.row is None or draw.random() < 0.3:
            return ANSWERS[draw.choice(list(ANSWERS))](answer)
        return replace(answer, row=ROWS[draw.choice(list(ROWS))](answer.row) or 7)

    return bend


def bent(draw: random.Random) -> Callable[[Page], Any]:
    """Return what makes a page worse, here and there."""

    def bend(page: Page) -> Any:
        if draw.random() < 0.3:
            return PAGES[draw.choice(list(PAGES))](page)
        rows = [ROWS[draw.choice(list(ROWS))](row) if draw.random() < 0.2 else row for row in page.rows]
        return replace(page, rows=rows)

    return bend


async def filled(at: Shop) -> None:
    for n in range(ITEMS):
        at.provider.put(f"o{n:02}", n)
    at.pass_time(10)
    assert (await at.run()).state == "done"
    at.pass_time(10)


async def heals(at: Shop) -> None:
    """See that all is right once pages are, and that nothing was deleted meanwhile."""
    at.provider.bend, at.provider.answer = lambda page: page, lambda key, answer: answer
    for _ in range(3):
        at.pass_time(120)
        run = await at.run()
        await at.scope.read_dirty()
        await at.carry()
    assert run.state == "done"
    assert {key: each for key, each in (await at.shown()).items() if key in at.true} == at.true


@pytest.mark.parametrize("name", [*ROWS, *PAGES])
async def test_no_page_ends_more_than_its_run(name: str) -> None:
    async with shop() as at:
        await filled(at)
        pages = iter([True])

        def bend(page: Page) -> Any:
            if not next(pages, False):
                return page
            return (
                PAGES[name](page) if name in PAGES else replace(page, rows=[ROWS[name](page.rows[0]), *page.rows[1:]])
            )

        at.provider.bend = bend
        at.provider.put("o07", 99)
        at.pass_time(10)
        run = await at.run()
        assert run.deleted == 0
        assert {**await at.shown(), "o07": 99}.items() >= at.true.items()
        await heals(at)
        assert await at.shown() == at.true


@pytest.mark.parametrize("capability", [Capability.VERSIONED, Capability.EVENT_TIMED, Capability.BARE])
async def test_listing_fuzz(capability: Capability) -> None:
    for seed in range(SEEDS):
        draw = random.Random(seed)
        async with shop(seed, capability=capability, filters_by_change=capability is not Capability.BARE) as at:
            await filled(at)
            at.provider.bend, at.provider.answer = bent(draw), bent_answer(draw)
            for _ in range(3):
                at.provider.put(f"o{draw.randrange(ITEMS):02}", draw.randrange(1_000))
                at.pass_time(120)
                run = await at.run()
                assert run.deleted == 0, f"seed {seed}"
                if capability is not Capability.BARE:
                    await at.run_changed()
                await at.scope.read_dirty()
                assert (await at.shown()).keys() >= at.true.keys(), f"seed {seed}"
            await heals(at)


@pytest.mark.parametrize("changed", [False, True])
async def test_an_item_that_is_listed_elsewhere_than_before_is_the_one_that_it_was(changed: bool) -> None:
    """Its place tells another item apart from it in no list: by its key it is known."""
    async with shop(order=Order.CREATED, filters_by_change=True) as at:

        def placed(places: Mapping[str, int]) -> Callable[[Page], Page]:
            return lambda page: replace(
                page, rows=[replace(row, order=(places.get(row.key, int(row.key[1:])), row.key)) for row in page.rows]
            )

        listing: Any = at.scope.scope.listing
        said = listing.read
        listing.read = lambda event, envelope: replace(
            said(event, envelope), order=(int(event.order_id[1:]), event.order_id)
        )
        at.provider.bend = placed({})
        await filled(at)
        at.provider.bend = placed({"o03": 77})
        at.provider.put("o03", 3)  # as it was, but later
        at.provider.put("o04", 44)
        at.pass_time(10)
        run = await (at.run_changed() if changed else at.run())
        assert ("order" in run.breaches, run.deleted) == (True, 0)
        assert await at.shown() == at.true


def with_id(event: OrderSeen, id: str) -> OrderSeen:
    return OrderSeen(id, event.amount, event.updated_at)


def too_large(at: Shop) -> None:
    """Have the provider say of an item what no event may hold."""
    listing: Any = at.scope.scope.listing
    observed = listing.observed
    listing.observed = lambda row: with_id(observed(row), "o" * 2_000 if row.key == "o03" else row.key)


@pytest.mark.parametrize("asked", ["list", "one", "hint"])
async def test_an_item_that_no_event_can_hold_is_an_exception_and_costs_no_other(asked: str) -> None:
    capability = Capability.BARE if asked == "hint" else Capability.VERSIONED
    async with shop(capability=capability) as at:
        await filled(at)
        too_large(at)
        at.provider.put("o03", 33)
        at.pass_time(10)
        if asked == "hint":
            await at.webhook("o03", id="w")
            await at.carry()
            assert await at.scope.read_dirty() == 0
        elif asked == "one":
            run = await at.scope.run_key("o03")
            assert (run.state, "cannot hold" in run.why) == ("failed", True)
        else:
            at.provider.put("o04", 44)
            at.pass_time(10)
            assert ((await at.run()).state, (await at.shown())["o04"]) == ("done", 44)
        if asked != "one":
            assert [(each.key, each.reason) for each in (await at.scope.asof()).exceptions] == [("o03", "unreadable")]
        assert (await at.shown())["o03"] == 3
