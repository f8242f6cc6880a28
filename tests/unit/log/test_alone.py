"""A single write that its caller keeps in its own task: when it may, who waits for it, and what becomes of it."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.unit.log.scripted import Scripted
from tests.unit.log.writes import event
from tidings.backends.sqlite import Sqlite
from tidings.errors import LogUnavailableError
from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write
from tidings.log.log import Log
from tidings.ports import Ports


class Alone(Scripted):
    """`alone`: the ids that came by `append_one`. `let`: while it is cleared, these stand before they are kept.

    `knows`: whether it says what became of them.
    """

    def __init__(self, sqlite: Sqlite) -> None:
        super().__init__(sqlite.log)
        self.facts = replace(self.facts, flushes_at_once=2, appends_one=True)
        self.alone: list[str] = []
        self.let = asyncio.Event()
        self.let.set()
        self.knows = True

    async def append_one(self, envelope: Envelope, *, seconds: float) -> Receipt | None:
        self.alone.append(envelope.id)
        await self.let.wait()
        [receipt] = await self._driver.append([Write(envelopes=(envelope,))])
        return receipt if self.knows and receipt.outcome == "appended" else None


@pytest.fixture
def driver(sqlite: Sqlite) -> Alone:
    return Alone(sqlite)


@pytest.fixture
async def log(driver: Alone) -> AsyncIterator[Log]:
    log = Log(driver, Ports())
    await log.append([event("first")])
    yield log
    driver.let.set()
    driver.gate.set()
    await log.close()


async def begun(log: Log, id: str, subject: str | None = None) -> asyncio.Task[Receipt]:
    """Begin an append; come back when all that can go on without an answer has done so."""
    task = asyncio.create_task(log.append([event(id, subject=subject)]))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def in_order(log: Log) -> list[str]:
    page = await log.read(after=0, limit=100)
    return [entry.envelope.id for entry in page.entries]


async def test_one_after_the_other_they_are_kept_alone(log: Log, driver: Alone) -> None:
    receipts = [await log.append([event(id)]) for id in "abc"]
    assert (driver.alone, driver.flushes) == (["a", "b", "c"], [["first"]])
    assert [receipt.outcome for receipt in receipts] == ["appended"] * 3
    assert await in_order(log) == ["first", "a", "b", "c"]


async def test_where_several_append_at_once_they_are_gathered(log: Log, driver: Alone) -> None:
    for ids in ("abcd", "efgh"):
        await asyncio.gather(*(log.append([event(id)]) for id in ids))
    assert (driver.alone, driver.flushes) == (["a"], [["first"], ["b", "c", "d"], ["e", "f", "g", "h"]])


async def test_what_is_more_than_one_or_expects_something_is_not_kept_alone(log: Log, driver: Alone) -> None:
    await log.append([event("a"), event("b")])
    await log.append([event("c", subject="s")], expected={"s": 0})
    assert driver.alone == []


async def test_a_repeat_is_answered_as_one_and_the_next_is_not_tried_alone(log: Log, driver: Alone) -> None:
    first = await log.append([event("a")])
    assert (await log.append([event("a")])) == Receipt(outcome="duplicate", positions=first.positions)
    assert (await log.append([event("a")])).outcome == "duplicate"
    assert (driver.alone, driver.flushes) == (["a", "a"], [["first"], ["a"], ["a"]])


async def test_what_shares_an_id_or_a_subject_with_it_waits_and_others_go(log: Log, driver: Alone) -> None:
    driver.let.clear()
    appends = [await begun(log, id, subject) for id, subject in (("a", "s"), ("b", "s"), ("a", "s"), ("c", "t"))]
    assert (driver.alone, driver.flushes) == (["a"], [["first"], ["c"]])
    driver.let.set()
    assert [(await each).outcome for each in appends] == ["appended", "appended", "duplicate", "appended"]
    assert await in_order(log) == ["first", "c", "a", "b"]


async def test_of_what_it_cannot_say_a_flush_finds_out_before_the_next_of_its_subject(log: Log, driver: Alone) -> None:
    driver.let.clear()
    driver.knows = False
    appends = [await begun(log, id, "s") for id in "ab"]
    driver.let.set()
    assert [(await each).outcome for each in appends] == ["duplicate", "appended"]
    assert driver.flushes == [["first"], ["a", "b"]]


async def test_one_whose_caller_is_cancelled_goes_on_and_before_the_next_of_its_subject(
    log: Log, driver: Alone
) -> None:
    driver.let.clear()
    left, next_one = [await begun(log, id, "s") for id in "ab"]
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    assert (await next_one).outcome == "appended"
    assert await in_order(log) == ["first", "a", "b"]


async def test_an_error_is_told_as_it_is_and_the_next_one_is_kept(log: Log, driver: Alone) -> None:
    async def fails(envelope: Envelope, *, seconds: float) -> Receipt | None:
        raise ZeroDivisionError

    driver.append_one = fails  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await log.append([event("a")])
    del driver.append_one
    await log.append([event("b")])
    assert await in_order(log) == ["first", "b"]


async def test_closing_waits_for_one_that_is_kept_alone(log: Log, driver: Alone) -> None:
    driver.let.clear()
    append = await begun(log, "a")
    closing = asyncio.create_task(log.close())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not closing.done()
    with pytest.raises(LogUnavailableError):
        await log.append([event("b")])
    driver.let.set()
    assert (await append).outcome == "appended"
    await closing
    assert driver.closes == 1


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_what_is_left_of_one_whose_time_is_up_is_told_to_its_caller_or_to_nobody(
    log: Log, driver: Alone, is_cancelled: bool
) -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    driver.knows = False
    await driver.stall()
    driver.let.clear()
    task = await begun(log, "a")
    if is_cancelled:
        task.cancel()
    driver.let.set()
    await driver.arrived.wait()
    log._queue.expire(math.inf, None)
    with pytest.raises(asyncio.CancelledError if is_cancelled else LogUnavailableError):
        await task
    del task
    driver.gate.set()
    await log.append([event("b")])
    gc.collect()
    assert told == []


async def test_one_whose_time_was_up_is_told_that_it_is_kept_if_a_flush_finds_it_so(log: Log, driver: Alone) -> None:
    driver.knows = False
    driver.let.clear()
    task = await begun(log, "a")
    log._queue.expire(math.inf, None)  # as after a process stood still
    driver.let.set()
    assert (await task).outcome == "duplicate"
