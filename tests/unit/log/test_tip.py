"""Readers near the head share their reads, and none of them misses or waits for anything because of it."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.unit.log.scripted import Scripted
from tests.unit.log.writes import event
from tidings.backends.sqlite import Sqlite
from tidings.errors import LogRewoundError, LogUnavailableError
from tidings.events.filter import EVERYTHING, Filter
from tidings.log import tip as tips
from tidings.log.driver import Page, Position, Write
from tidings.log.tip import Tip


async def append(driver: Scripted, *ids: str, **fields: object) -> tuple[Position, ...]:
    envelopes = tuple(event(id, **fields) for id in ids)
    [receipt] = await driver.append([Write(envelopes=envelopes)])
    return receipt.positions


def ids(page: Page) -> list[str]:
    return [entry.envelope.id for entry in page.entries]


@pytest.fixture
async def tip(driver: Scripted) -> Tip:
    """A tip whose first reader has come to the head, at position 2."""
    tip = Tip(driver)
    await append(driver, "1", "2")
    await tip.read(after=0, limit=10)
    driver.reads = 0
    return tip


async def test_ten_readers_at_the_head_cost_one_query(tip: Tip, driver: Scripted) -> None:
    await append(driver, "3", "4", "5")
    pages = await asyncio.gather(*(tip.read(after=2 + n % 2, limit=10) for n in range(10)))
    assert [ids(page) for page in pages] == [["3", "4", "5"], ["4", "5"]] * 5
    assert driver.reads == 1


async def test_a_page_that_is_kept_costs_no_query(tip: Tip, driver: Scripted) -> None:
    await append(driver, "3", "4", "5")
    await tip.read(after=2, limit=10)
    driver.reads = 0
    page = await tip.read(after=2, limit=2)
    assert (ids(page), page.upto) == (["3", "4"], 4)
    assert driver.reads == 0


async def test_a_reader_sees_what_was_appended_before_it_asked(tip: Tip, driver: Scripted) -> None:
    for n in range(3, 20):
        await append(driver, str(n))
        assert ids(await tip.read(after=2, limit=100)) == [str(i) for i in range(3, n + 1)]


async def test_who_asks_during_a_look_waits_for_the_next_one(tip: Tip, driver: Scripted) -> None:
    reading, go_on = asyncio.Event(), asyncio.Event()
    read = driver.read

    async def slow(**more: object) -> Page:
        page = await read(**more)
        reading.set()
        await go_on.wait()
        return page

    driver.read = slow  # type: ignore[method-assign]
    first = asyncio.create_task(tip.read(after=2, limit=10))
    await reading.wait()
    await append(driver, "3")
    second = asyncio.create_task(tip.read(after=2, limit=10))
    await asyncio.sleep(0)
    go_on.set()
    assert ids(await first) == []
    assert ids(await second) == ["3"]


async def test_a_filter_takes_its_share(tip: Tip, driver: Scripted) -> None:
    await append(driver, "3", subject="a")
    await append(driver, "4", "5", subject="b")
    pages = await asyncio.gather(
        tip.read(after=2, limit=10, where=Filter(subject="a")),
        tip.read(after=2, limit=1, where=Filter(subject="b")),
        tip.read(after=2, limit=10, where=Filter(subject="c")),
    )
    assert [(ids(page), page.upto) for page in pages] == [(["3"], 5), (["4"], 4), ([], 5)]
    assert driver.reads == 1


async def test_a_filter_is_asked_of_a_few_entries_only(
    tip: Tip, driver: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tips, "FILTERED", 3)
    await append(driver, "3", "4", "5", "6", subject="a")
    await tip.read(after=2, limit=10)
    driver.reads = 0
    assert ids(await tip.read(after=3, limit=3, where=Filter(subject="a"))) == ["4", "5", "6"]
    assert driver.reads == 0
    assert ids(await tip.read(after=2, limit=3, where=Filter(subject="a"))) == ["3", "4", "5"]
    assert driver.reads == 1


async def test_who_is_far_behind_reads_apart(tip: Tip, driver: Scripted) -> None:
    await append(driver, "3")
    assert ids(await tip.read(after=0, limit=2)) == ["1", "2"]
    assert driver.reads == 1
    assert ids(await tip.read(after=2, limit=10)) == ["3"]


async def test_after_a_gap_the_tip_begins_anew_where_the_reader_stands(tip: Tip, driver: Scripted) -> None:
    await append(driver, *map(str, range(3, 3_000)))
    where = Filter(subject="rare")
    assert (await tip.read(after=2, limit=10, where=where)).upto == 2_999
    assert (await tip.read(after=2_999, limit=10, where=where)).upto == 2_999
    await append(driver, "new", subject="rare")
    driver.reads = 0
    pages = await asyncio.gather(*(tip.read(after=2_999, limit=10, where=where) for _ in range(5)))
    assert [ids(page) for page in pages] == [["new"]] * 5
    assert driver.reads == 1


async def test_the_oldest_entries_make_room(tip: Tip, driver: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tips, "ENTRIES", 10)
    for n in range(3, 40):
        await append(driver, str(n))
        assert ids(await tip.read(after=n - 1, limit=10)) == [str(n)]
    driver.reads = 0
    assert ids(await tip.read(after=29, limit=10)) == [str(n) for n in range(30, 40)]
    assert driver.reads == 0
    assert ids(await tip.read(after=28, limit=10)) == [str(n) for n in range(29, 39)]
    assert driver.reads == 1


async def test_large_entries_make_room_sooner(tip: Tip, driver: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tips, "BYTES", 100_000)
    await append(driver, "3", "4", "5", data=bytes(40_000))
    assert ids(await tip.read(after=2, limit=10)) == ["3", "4", "5"]
    driver.reads = 0
    assert ids(await tip.read(after=3, limit=2)) == ["4", "5"]
    assert driver.reads == 0
    assert ids(await tip.read(after=2, limit=2)) == ["3", "4"]
    assert driver.reads == 1


async def test_a_failed_look_fails_only_who_reads(tip: Tip, driver: Scripted) -> None:
    await append(driver, "3")
    read, failing = driver.read, True

    async def broken(**more: object) -> Page:
        if failing:
            raise LogUnavailableError("the disk is full")
        return await read(**more)

    driver.read = broken  # type: ignore[method-assign]
    with pytest.raises(LogUnavailableError):
        await tip.read(after=2, limit=10)
    failing = False
    assert ids(await tip.read(after=2, limit=10)) == ["3"]


async def test_beyond_the_head_the_log_was_rewound(tip: Tip) -> None:
    with pytest.raises(LogRewoundError):
        await tip.read(after=100, limit=10)
    assert ids(await tip.read(after=0, limit=10)) == ["1", "2"]


async def test_what_a_unit_reads_is_not_shared(tip: Tip, driver: Scripted, sqlite: Sqlite) -> None:
    """It would wait for itself, or show others what may be rolled back."""
    await append(driver, "3")
    async with sqlite.store.unit():
        assert ids(await tip.read(after=2, limit=10)) == ["3"]
    assert tip._looks == set()
    assert tip._upto == 2


async def test_a_reader_that_leaves_takes_nobody_with_it(tip: Tip, driver: Scripted) -> None:
    await append(driver, "3")
    readers = [asyncio.create_task(tip.read(after=2, limit=10)) for _ in range(3)]
    await asyncio.sleep(0)
    readers[0].cancel()
    assert [ids(await reader) for reader in readers[1:]] == [["3"], ["3"]]
    await tip.close()


@pytest.mark.parametrize("seed", range(20))
async def test_every_answer_is_the_drivers_own(driver: Scripted, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(tips, "ENTRIES", 30)
    monkeypatch.setattr(tips, "LOOK", 10)
    monkeypatch.setattr(tips, "FILTERED", 20)
    draw, tip, count = Random(seed), Tip(driver), 0
    wheres = [EVERYTHING, Filter(subject="0"), Filter(types=frozenset({"t"})), Filter(slots=((0, 256), (512, 768)))]
    for _ in range(150):
        for _ in range(draw.choice((0, 0, 1, 4, 25))):
            count += 1
            await append(driver, str(count), subject=str(draw.randrange(3)))
        asked = [
            (max(0, count - draw.choice((0, 1, 5, 40))), draw.choice((1, 3, 50)), draw.choice(wheres))
            for _ in range(draw.choice((1, 4)))
        ]
        pages = await asyncio.gather(*(tip.read(after=after, limit=most, where=where) for after, most, where in asked))
        for (after, most, where), page in zip(asked, pages, strict=True):
            assert page == await driver.read(after=after, limit=most, where=where)
