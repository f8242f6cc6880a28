"""Several flushes under way: who may be in another one than the flush before, and who has to wait for its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.log.scripted import Scripted
from tests.unit.log.test_flush import WRITES, ids, subjects
from tests.unit.log.writes import event, queued
from tidings.backends.sqlite import Sqlite
from tidings.log.driver import Receipt, Write
from tidings.log.flush import Queued, UnderWay, take
from tidings.log.log import Log
from tidings.ports import Ports


@pytest.fixture
async def log(driver: Scripted) -> AsyncIterator[Log]:
    driver.facts = replace(driver.facts, flushes_at_once=2)
    log = Log(driver, Ports())
    yield log
    driver.gate.set()
    await log.close()


async def begun(log: Log, driver: Scripted, id: str, subject: str | None = None) -> asyncio.Task[object]:
    """Begin an append; come back when all that can go on without an answer has done so."""
    task = asyncio.create_task(log.append([event(id, subject=subject)]))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_others_go_while_a_flush_is_under_way_and_no_more_of_them_than_the_log_can_take(
    log: Log, driver: Scripted
) -> None:
    await driver.stall()
    appends = [await begun(log, driver, id) for id in "abcd"]
    assert driver.flushes == [["a"], ["b"]]
    driver.gate.set()
    await asyncio.gather(*appends)
    assert driver.flushes == [["a"], ["b"], ["c", "d"]]


async def test_what_one_flush_is_in_the_middle_of_is_nothing_to_the_others(
    log: Log, driver: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, seen = ContextVar("inside", default=""), []
    append = driver.append

    async def noting(writes: Sequence[Write]) -> Sequence[Receipt]:
        seen.append(inside.get())
        inside.set(writes[0].envelopes[0].id)
        return await append(writes)

    monkeypatch.setattr(driver, "append", noting)
    await driver.stall()
    appends = [await begun(log, driver, id) for id in "ab"]
    driver.gate.set()
    await asyncio.gather(*appends)
    assert seen == ["", ""]


async def test_what_shares_an_id_or_a_subject_with_a_flush_under_way_waits_for_its_end(
    log: Log, driver: Scripted
) -> None:
    await driver.stall()
    appends = [
        await begun(log, driver, id, subject)
        for id, subject in (("a", "s"), ("b", "s"), ("a", "s"), ("c", "t"), ("d", "t"), ("e", "s"))
    ]
    assert driver.flushes == [["a"], ["c"]]
    driver.gate.set()
    await asyncio.gather(*appends)
    assert sorted(id for flush in driver.flushes for id in flush) == ["a", "a", "b", "c", "d", "e"]
    in_the_log = [entry.envelope.id for entry in (await log.read(after=0, limit=10)).entries]
    assert [id for id in in_the_log if id in "abe"] == ["a", "b", "e"]
    assert [id for id in in_the_log if id in "cd"] == ["c", "d"]


async def test_closing_waits_for_every_flush(sqlite: Sqlite, log: Log, driver: Scripted) -> None:
    await driver.stall()
    appends = [await begun(log, driver, id) for id in "abc"]
    closing = asyncio.create_task(log.close())
    await asyncio.sleep(0)
    assert driver.closes == 0
    driver.gate.set()
    await closing
    assert [(await append).outcome for append in appends] == ["appended"] * 3  # type: ignore[attr-defined]
    assert driver.closes == 1


def in_order(items: list[Queued], draw: Random, *, at_once: int) -> list[Queued]:
    """Return the items in the order in which they were taken, by flushes that end in any order."""
    queue, order = deque(items), []
    under_way: list[UnderWay] = []
    while queue or under_way:
        taken: list[Queued] = []
        if len(under_way) < at_once:
            taken, _ = take(queue, under_way)
        if taken:
            for other in under_way:
                assert {id for item in other.items for id in item.identities}.isdisjoint(
                    {id for item in taken for id in item.identities}
                )
                assert set().union(*map(subjects, other.items)).isdisjoint(set().union(*map(subjects, taken)))
            under_way.append(UnderWay(taken))
            order += taken
        elif under_way:
            under_way.remove(draw.choice(under_way))
        else:
            pytest.fail(f"nothing goes on: {ids(queue)}")
    return order


@given(WRITES, st.randoms(use_true_random=False), st.integers(1, 4))
async def test_flushes_under_way_share_nothing_and_each_subject_keeps_its_order(
    drawn: list[dict[str, object]], draw: Random, at_once: int
) -> None:
    items = [queued(*write.pop("ids"), **write) for write in map(dict, drawn)]  # type: ignore[misc,arg-type]
    order = in_order(items, draw, at_once=at_once)
    assert sorted(map(id, order)) == sorted(map(id, items))
    for subject in "stu":
        own = [item for item in items if subject in subjects(item)]
        assert [item for item in order if subject in subjects(item)] == own
