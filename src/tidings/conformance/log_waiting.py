"""Chapters "wait", "closing", "breakage"."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tidings.conformance.harness import LogHarness
from tidings.conformance.samples import event, events, ids_in, keep, turn
from tidings.errors import LogUnavailableError
from tidings.log.driver import LogDriver, Write
from tidings.log.log import Log

LONG = timedelta(hours=1)
PATIENCE = 60  # seconds after which a test says that nothing woke the waiter
TURNS = 20


def waiting(driver: LogDriver, after: int) -> asyncio.Task[None]:
    """Begin to wait for an entry after `after`, far longer than a test may last."""
    return asyncio.create_task(driver.wait(after=after, timeout=LONG))


async def woken(task: asyncio.Task[None]) -> None:
    """Come back when the task has ended; fail if it does not."""
    await asyncio.wait_for(task, PATIENCE)


class Waiting:
    """A mixin of `LogSuite`."""

    async def test_who_has_something_to_read_does_not_wait(self, driver: LogDriver) -> None:
        await keep(driver, event("1"))
        await woken(waiting(driver, 0))

    async def test_an_append_wakes_who_waits(self, driver: LogDriver) -> None:
        tasks = [waiting(driver, 0) for _ in range(3)]
        await turn()
        await keep(driver, event("1"))
        for task in tasks:
            await woken(task)

    async def test_no_wake_up_is_lost(self, driver: LogDriver) -> None:
        """The append comes before the wait, while it begins, and while it lasts."""

        async def write() -> None:
            for n in range(TURNS):
                for _ in range(n % 5):
                    await turn()
                await keep(driver, event(str(n)))

        writer = asyncio.create_task(write())
        found, after = 0, 0
        while found < TURNS:
            page = await driver.read(after=after, limit=1_000)
            found, after = found + len(page.entries), page.upto
            if not page.entries:
                await woken(waiting(driver, after))
        await writer

    async def test_a_wait_ends_at_its_timeout(self, driver: LogDriver) -> None:
        receipt = await keep(driver, event("1"))
        await asyncio.wait_for(driver.wait(after=receipt.positions[0], timeout=timedelta(milliseconds=5)), PATIENCE)

    async def test_a_wait_may_be_cancelled(self, driver: LogDriver) -> None:
        task = waiting(driver, 0)
        await turn()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        other = waiting(driver, 0)
        await keep(driver, event("1"))
        await woken(other)

    async def test_closing_ends_every_wait(self, driver: LogDriver) -> None:
        tasks = [waiting(driver, 0) for _ in range(3)]
        await turn()
        await driver.close()
        for task in tasks:
            await woken(task)

    async def test_closing_twice_is_closing_once(self, driver: LogDriver) -> None:
        await asyncio.gather(driver.close(), driver.close())
        await driver.close()

    async def test_what_was_appended_before_closing_is_answered(self, log: Log) -> None:
        appends = [asyncio.create_task(log.append([event(str(n))])) for n in range(50)]
        await turn()
        await asyncio.gather(log.close(), log.close())
        assert {(await append).outcome for append in appends} == {"appended"}
        with pytest.raises(LogUnavailableError):
            await log.append([event("late")])

    async def test_nothing_is_half_kept_while_nothing_can_be_kept(self, driver: LogDriver, harness: LogHarness) -> None:
        await keep(driver, event("before"))
        writes = [Write(envelopes=events(n, n + 3, data=b"x" * 9_000)) for n in range(0, 30, 3)]
        async with harness.breakage():
            with pytest.raises(LogUnavailableError):
                await driver.append(writes)
        assert await ids_in(driver) in (["before"], ["before", *map(str, range(30))])
        receipts = await driver.append(writes)
        assert {receipt.outcome for receipt in receipts} <= {"appended", "duplicate"}
        assert await ids_in(driver) == ["before", *map(str, range(30))]

    async def test_an_append_outlasts_a_breakage(self, log: Log, harness: LogHarness) -> None:
        async with harness.breakage():
            appends = [asyncio.create_task(log.append([event(str(n), data=b"x" * 9_000)])) for n in range(20)]
            await turn()  # the log's first attempt is on its way, before this one
            with pytest.raises(LogUnavailableError):
                await log.driver.append([Write(envelopes=(event("other", data=b"x" * 90_000),))])
        receipts = [await append for append in appends]
        assert {receipt.outcome for receipt in receipts} <= {"appended", "duplicate"}
        assert len({receipt.positions for receipt in receipts}) == len(receipts)
        kept = [id for id in await ids_in(log) if id != "other"]
        assert kept == [str(n) for n in range(20)]
