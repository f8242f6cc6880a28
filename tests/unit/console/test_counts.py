"""What is dead, and what is retried, is one number each, wherever it is shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.console.browsing import Browser, browsing_a_shop
from tests.unit.telemetry.scrape import named, scrape
from tidings.conformance.store_samples import entry, reason
from tidings.operations.counts import count, dead_told, retrying_told
from tidings.operations.diagnosis import diagnose
from tidings.operations.lag import lag

SOON = 2**60  # retried, and not in this test


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


async def test_dead_letters_and_retried_subjects_are_the_same_number_everywhere(browser: Browser) -> None:
    opened = browser.shop.opened
    assert {each.consumer for each in await opened.store.parked()} == {"stock"}
    [stock] = [each for each in await lag(opened.log, opened.store, opened.ports.clock, None) if each.name == "stock"]
    assert (stock.dead_letters, stock.dead, stock.retrying, stock.parked) == (3, 2, 1, 3)

    counts = count(await opened.store.parked())
    assert f"{dead_told(counts)}; {retrying_told(counts)}" == (
        "3 dead letters of 2 subjects; 1 subject with 2 entries is retried"
    )

    samples = await scrape(opened)
    assert named(samples, "tidings_dead_letters")["stock",] == 3
    assert named(samples, "tidings_retrying_subjects")["stock",] == 1
    assert named(samples, "tidings_parked_subjects")["stock",] == 3

    overview, consumer = await browser.get("/"), await browser.get("/consumers/stock")
    for page in (overview, consumer):
        assert re.findall(r'<span class="count">(\d+)', page.text) == ["3"]
        assert re.findall(r'<span class="count mild">(\d+)', page.text) == ["1"]
        assert "Subjects being retried 1" in page.words
        assert "Dead letters 3" in page.words
    assert "3 dead letters of stock , of 2 subjects, wait for somebody" in overview.words
    answer = await browser.shop.caller.get("/consumers/stock")
    assert [answer.json[name] for name in ("dead_letters", "dead", "retrying", "parked")] == [3, 2, 1, 3]

    [told] = [
        check.problem
        for check in await diagnose(opened.host, opened.log, opened.store, opened.ports, opened.services)
        if check.name == "dead letters"
    ]
    assert told == ("3 dead letters of 2 subjects; 1 subject with 2 entries is retried: look with `tidings dead list`")


async def test_a_retried_subject_alarms_nobody(browser: Browser) -> None:
    opened = browser.shop.opened
    for subject, positions in (("x", (101, 102)), ("y", (103,))):
        for position in reversed(positions):
            await opened.store.drop("stock", subject, position, reason="not wanted")
    page = await browser.get("/")
    assert 'class="count"' not in page.text
    assert re.findall(r'<span class="count mild">(\d+)', page.text) == ["1"]
    [check] = [
        check
        for check in await diagnose(opened.host, opened.log, opened.store, opened.ports, opened.services)
        if check.name == "dead letters"
    ]
    assert (check.problem, check.note) == (
        None,
        "none, but 1 subject with 2 entries is retried: look with `tidings dead list`",
    )
