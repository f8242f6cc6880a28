"""A dead letter is one until it is handled or dropped, and that is one number wherever it is shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.console.browsing import Browser, browsing_a_shop
from tests.unit.telemetry.scrape import named, scrape
from tidings.conformance.store_samples import entry, reason
from tidings.operations.counts import Totals, count, letters_told, totals_told
from tidings.operations.diagnosis import diagnose
from tidings.operations.lag import lag
from tidings.store.letters import COUNTED, DeadCount

SOON = 2**55  # retried, and not in this test


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """For stock two subjects are dead with three entries, and one is retried with two."""
    async with browsing_a_shop(tmp_path) as made:
        await made.shop.settled()
        async with made.shop.opened.store.unit() as unit:
            for subject, positions, at in (("x", (101, 102), None), ("y", (103,), None), ("z", (104, 105), SOON)):
                entries = [entry(position, subject=subject) for position in positions]
                await unit.park("stock", subject, entries, reason(at))
        yield made


async def test_dead_letters_and_their_subjects_are_the_same_numbers_everywhere(browser: Browser) -> None:
    opened = browser.shop.opened
    assert {each.consumer for each in await opened.store.parked()} == {"stock"}
    [stock] = [each for each in await lag(opened.log, opened.store, opened.ports.clock, None) if each.name == "stock"]
    assert (stock.dead_letters, stock.dead, stock.retrying, stock.parked) == (5, 2, 1, 3)

    said = "5 dead letters of 3 subjects (2 dead, 1 retrying)"
    assert letters_told(count(await opened.store.parked())) == said
    listed = (await browser.shop.caller.get("/dead-letters")).json["dead_letters"]
    assert (sum(1 + each["followers"] for each in listed), [each["state"] for each in listed].count("dead")) == (5, 2)

    samples = await scrape(opened)
    assert named(samples, "tidings_dead_letters")["stock",] == 5
    assert named(samples, "tidings_retrying_subjects")["stock",] == 1
    assert named(samples, "tidings_parked_subjects")["stock",] == 3

    overview, consumer = await browser.get("/"), await browser.get("/consumers/stock")
    for page in (overview, consumer):
        assert re.findall(r'<span class="count">(\d+)', page.text) == ["5"]
        assert "Subjects being retried 1" in page.words
        assert "Dead letters 5 Subjects" in page.words
    assert "2 subjects of stock wait until somebody redrives or drops" in overview.words
    answer = await browser.shop.caller.get("/consumers/stock")
    assert [answer.json[name] for name in ("dead_letters", "dead", "retrying", "parked")] == [5, 2, 1, 3]

    [told] = [
        check.problem
        for check in await diagnose(opened.host, opened.log, opened.store, opened.ports, opened.services)
        if check.name == "dead letters"
    ]
    assert told == f"{said}: look with `tidings dead list`"


def test_the_kinds_are_told_by_name_once_there_is_more_than_one() -> None:
    none = count(())
    for others, told in (
        (DeadCount(deliveries=1), "1 dead letter: 1 delivery"),
        (DeadCount(deliveries=22, receipts=1), "23 dead letters: 22 deliveries, 1 receipt"),
        (DeadCount(deliveries=COUNTED, receipts=2), "10,002+ dead letters: 10,000+ deliveries, 2 receipts"),
    ):
        totals = Totals(parked=none, others=others)
        assert (totals_told(totals), totals.need_somebody) == (told, True)


async def test_a_letter_that_is_redriven_stays_one_until_it_is_handled(browser: Browser) -> None:
    opened, caller, name = browser.shop.opened, browser.shop.caller, "orders.order@1"

    async def incomplete() -> str:
        asked = await caller.get("/views/orders/order", tidings_min_position=token)
        return asked.headers["tidings-incomplete"]

    await browser.shop.order("1", "Ada", "DE", 120)
    await browser.shop.settled()
    token = (await caller.get("/events?limit=1")).headers["tidings-position"]
    async with opened.store.unit() as unit:
        await unit.park(name, "w", [entry(1, subject="w")], reason(None))
    assert await incomplete() == "dead-letters=1"
    await opened.store.schedule_redrive(name, "w", at=SOON)
    assert await incomplete() == "dead-letters=1"
    [view] = [each for each in await lag(opened.log, opened.store, opened.ports.clock, None) if each.name == name]
    assert (view.dead_letters, view.dead, view.retrying) == (1, 0, 1)
    assert named(await scrape(opened), "tidings_dead_letters")[name,] == 1


async def test_a_retried_subject_alarms_nobody(browser: Browser) -> None:
    opened = browser.shop.opened
    for subject, positions in (("x", (101, 102)), ("y", (103,))):
        for position in reversed(positions):
            await opened.store.drop("stock", subject, position, reason="not wanted")
    page = await browser.get("/")
    assert 'class="count"' not in page.text
    assert re.findall(r'<span class="count mild">(\d+) retrying', page.text) == ["2"]
    [check] = [
        check
        for check in await diagnose(opened.host, opened.log, opened.store, opened.ports, opened.services)
        if check.name == "dead letters"
    ]
    assert (check.problem, check.note) == (
        None,
        "2 dead letters of 1 subject (1 retrying): look with `tidings dead list`",
    )
