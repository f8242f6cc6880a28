"""What fails for a passing reason is sent again; what fails for another reason fails alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.unit.log.clock import StepClock
from tests.unit.log.scripted import Scripted
from tests.unit.log.writes import event
from tidings.errors import InlineViewError, LogBusyError, LogUnavailableError
from tidings.log import queue
from tidings.log.log import Log

FULL = LogUnavailableError("the disk is full")


async def test_a_flush_that_failed_is_sent_again_as_it_was(log: Log, driver: Scripted, clock: StepClock) -> None:
    driver.before = [FULL, FULL]
    receipts = await asyncio.gather(*(log.append([event(str(n))]) for n in range(3)))
    assert driver.flushes == [["0", "1", "2"]] * 3
    assert {receipt.outcome for receipt in receipts} == {"appended"}
    assert len(clock.slept) == 2
    assert all(0 <= slept <= 0.04 for slept in clock.slept)


async def test_what_joins_meanwhile_waits_for_its_own_flush(log: Log, driver: Scripted) -> None:
    driver.before = [FULL]
    await driver.stall()
    first = asyncio.create_task(log.append([event("first")]))
    await driver.arrived.wait()
    second = asyncio.create_task(log.append([event("second")]))
    await asyncio.sleep(0)
    driver.gate.set()
    await asyncio.gather(first, second)
    assert driver.flushes == [["first"], ["first"], ["second"]]


async def test_after_an_ambiguous_commit_the_answer_is_where_it_is_kept(log: Log, driver: Scripted) -> None:
    driver.after = [FULL]
    receipts = await asyncio.gather(log.append([event("a")]), log.append([event("b")]))
    entries = (await log.read(after=0, limit=10)).entries
    assert [entry.envelope.id for entry in entries] == ["a", "b"]
    assert [receipt.positions for receipt in receipts] == [(entry.position,) for entry in entries]
    assert {receipt.outcome for receipt in receipts} == {"duplicate"}


async def test_retries_end_with_the_callers_patience(log: Log, driver: Scripted, clock: StepClock) -> None:
    driver.before = [FULL] * 1_000
    began = clock.now
    with pytest.raises(LogUnavailableError, match="the disk is full") as caught:
        await log.append([event("a")], timeout=timedelta(seconds=30))
    assert caught.value.__cause__ is FULL
    assert 30 <= clock.now - began <= 32
    assert 15 < len(driver.flushes) < 150
    driver.before = []
    assert (await log.append([event("a")])).outcome == "appended"


async def test_each_caller_has_its_own_patience(log: Log, driver: Scripted) -> None:
    driver.before = [FULL] * 10
    hasty = asyncio.create_task(log.append([event("hasty")], timeout=timedelta(milliseconds=1)))
    patient = asyncio.create_task(log.append([event("patient")], timeout=timedelta(hours=1)))
    with pytest.raises(LogUnavailableError):
        await hasty
    assert (await patient).outcome == "appended"
    assert driver.flushes[-1] == ["hasty", "patient"]


async def test_a_flush_that_nobody_waits_for_is_given_up(log: Log, driver: Scripted) -> None:
    driver.before = [FULL] * 1_000
    await driver.stall()
    append = asyncio.create_task(log.append([event("a")]))
    await driver.arrived.wait()
    append.cancel()
    driver.gate.set()
    await log.close()
    assert len(driver.flushes) == 1


async def test_a_driver_that_does_not_answer_keeps_nobody_waiting(log: Log, driver: Scripted, clock: StepClock) -> None:
    await driver.stall()
    taken = asyncio.create_task(log.append([event("taken")], timeout=timedelta(milliseconds=1)))
    await driver.arrived.wait()
    waiting = asyncio.create_task(log.append([event("waiting")], timeout=timedelta(milliseconds=1)))
    await asyncio.sleep(0)
    clock.now += 1
    for append in (taken, waiting):
        with pytest.raises(LogUnavailableError, match="did not answer in time"):
            await append
    driver.gate.set()
    await log.close()
    assert driver.flushes == [["taken"]]


async def test_a_bad_write_fails_alone(log: Log, driver: Scripted) -> None:
    driver.poison = {"bad": ValueError("no such thing"), "view": InlineViewError("another view")}
    results = await asyncio.gather(
        *(log.append([event(id)]) for id in ("a", "bad", "b", "view", "c")), return_exceptions=True
    )
    assert [type(result).__name__ for result in results] == [
        "Receipt",
        "ValueError",
        "Receipt",
        "InlineViewError",
        "Receipt",
    ]
    assert driver.flushes[1:] == [["a"], ["bad"], ["b"], ["view"], ["c"]]
    assert [entry.envelope.id for entry in (await log.read(after=0, limit=10)).entries] == ["a", "b", "c"]


async def test_writes_sent_one_by_one_are_retried_too(log: Log, driver: Scripted) -> None:
    driver.before = [ValueError("no such thing"), FULL, FULL]
    receipts = await asyncio.gather(log.append([event("a")]), log.append([event("b")]))
    assert driver.flushes == [["a", "b"], ["a"], ["a"], ["a"], ["b"]]
    assert {receipt.outcome for receipt in receipts} == {"appended"}


async def test_a_full_queue_keeps_an_append_waiting_and_then_refuses_it(
    log: Log, driver: Scripted, clock: StepClock
) -> None:
    await driver.stall()
    first = asyncio.create_task(log.append([event("first")]))
    await driver.arrived.wait()
    size = log.facts.envelope_bytes_max
    fill = [asyncio.create_task(log.append([event(str(n), data=bytes(size))])) for n in range(queue.BYTES // size)]
    await asyncio.sleep(0)
    patient = asyncio.create_task(log.append([event("patient")]))
    hasty = asyncio.create_task(log.append([event("hasty")], timeout=timedelta(seconds=1)))
    await asyncio.sleep(0)
    clock.now += 2
    with pytest.raises(LogBusyError, match="nothing was kept"):
        await hasty
    driver.gate.set()
    await asyncio.gather(first, *fill, patient)
    assert driver.flushes[-1][-1] == "patient"
    assert await log.find("test", "hasty") is None


async def test_closing_keeps_what_is_queued_and_refuses_what_comes(log: Log, driver: Scripted) -> None:
    await driver.stall()
    first = asyncio.create_task(log.append([event("first")]))
    await driver.arrived.wait()
    second = asyncio.create_task(log.append([event("second")]))
    await asyncio.sleep(0)
    closing = [asyncio.create_task(log.close()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailableError, match="closed"):
        await log.append([event("late")])
    driver.gate.set()
    await asyncio.gather(*closing)
    await log.close()
    assert [(await append).outcome for append in (first, second)] == ["appended", "appended"]
    assert driver.closes == 1


async def test_a_driver_that_ends_under_a_flush_leaves_nobody_waiting(log: Log, driver: Scripted) -> None:
    async def stop(writes: object) -> object:
        raise asyncio.CancelledError

    driver.append = stop  # type: ignore[assignment, method-assign]
    with pytest.raises(LogUnavailableError, match="stopped"):
        await log.append([event("a")])
