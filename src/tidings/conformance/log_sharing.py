"""What holds between processes, and after all of them have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, cast

import pytest

from tidings.conformance.harness import SharedLogHarness
from tidings.conformance.log_dedupe import SEEDS, Oracle, compare
from tidings.conformance.log_skipping import race
from tidings.conformance.log_waiting import waiting, woken
from tidings.conformance.samples import attempted, event, events, everything, ids_in, keep, refusal, turn
from tidings.errors import Conflict
from tidings.events.envelope import Envelope
from tidings.log.driver import LogDriver, Receipt, Write
from tidings.log.log import Log
from tidings.ports import Ports


class Counting:
    """A log whose driver is asked through here. `handed`: how many writes it was handed, each time they were."""

    def __init__(self, driver: LogDriver) -> None:
        self.handed = 0
        self._driver = driver
        self.log = Log(cast(LogDriver, self), Ports())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def append(self, writes: Sequence[Write]) -> Sequence[Receipt]:
        self.handed += len(writes)
        return await self._driver.append(writes)

    async def append_one(self, envelope: Envelope, *, seconds: float) -> Receipt | None:
        self.handed += 1
        return await self._driver.append_one(envelope, seconds=seconds)


class Sharing:
    """A mixin of `SharedLogSuite`."""

    async def test_the_log_outlives_its_driver(self, driver: LogDriver, harness: SharedLogHarness) -> None:
        receipt = await keep(driver, *events(0, 20))
        head, entries = await driver.head(), await everything(driver)
        await driver.close()
        again = await harness.reopen()
        assert await again.head() == head
        assert await everything(again) == entries
        assert await keep(again, *events(0, 20)) == Receipt(outcome="duplicate", positions=receipt.positions)
        assert (await refusal(again, event("7", data=b"2"))).position == receipt.positions[7]
        assert (await keep(again, event("new"))).positions[0] > head.position

    async def test_what_one_process_kept_the_other_knows(self, driver: LogDriver, harness: SharedLogHarness) -> None:
        other = await harness.reopen()
        for n in range(10):
            writer, reader = (driver, other) if n % 2 else (other, driver)
            receipt = await keep(writer, event(str(n)))
            assert await reader.find(event("0").source, str(n)) is not None
            assert await keep(reader, event(str(n))) == Receipt(outcome="duplicate", positions=receipt.positions)
            assert (await refusal(reader, event(str(n), data=b"2"))).kind == "id"
        assert await ids_in(driver) == await ids_in(other) == [str(n) for n in range(10)]

    async def test_an_id_that_two_processes_append_at_once_is_one_entry(
        self, driver: LogDriver, harness: SharedLogHarness
    ) -> None:
        logs = [Log(driver, Ports()), Log(await harness.reopen(), Ports())]
        answers = await asyncio.gather(*(log.append([event(str(n))]) for n in range(50) for log in logs))
        for one, other in zip(answers[::2], answers[1::2], strict=True):
            assert one.positions == other.positions
            assert {one.outcome, other.outcome} == {"appended", "duplicate"}
        assert sorted(await ids_in(driver), key=int) == [str(n) for n in range(50)]

    async def test_concurrent_appends_do_not_storm(self, driver: LogDriver, harness: SharedLogHarness) -> None:
        logs = [Counting(driver), Counting(await harness.reopen())]
        calls = [
            attempted(log.log, event(f"{n} of {place}", subject="one"), expected={"one": 0} if n % 2 else {})
            for n in range(100)
            for place, log in enumerate(logs)
        ]
        answers = await asyncio.gather(*calls)
        assert sum(isinstance(answer, Receipt) for answer in answers) >= 100
        assert [log.handed for log in logs] == [100, 100]  # each write once: who lost is told, and tried no more

    async def test_of_two_processes_that_race_for_a_subject_one_wins(
        self, driver: LogDriver, harness: SharedLogHarness
    ) -> None:
        logs = [Log(driver, Ports()), Log(await harness.reopen(), Ports())]
        for n in range(20):
            subject = f"seat/{n}"
            answers = await asyncio.gather(
                *(attempted(log, event(f"{n} of {id(log)}", subject=subject), expected={subject: 0}) for log in logs)
            )
            assert sorted(type(answer).__name__ for answer in answers) == [Conflict.__name__, Receipt.__name__]
        assert [entry.envelope.subject for entry in await everything(driver)] == [f"seat/{n}" for n in range(20)]

    async def test_an_append_wakes_who_waits_in_another_process(
        self, driver: LogDriver, harness: SharedLogHarness
    ) -> None:
        assert driver.facts.wakes_across_processes
        other = await harness.reopen()
        after = 0
        for n in range(5):
            tasks = [waiting(driver, after), waiting(other, after)]
            await turn()
            [after] = (await keep(other if n % 2 else driver, event(str(n)))).positions
            for task in tasks:
                await woken(task)

    @pytest.mark.parametrize("seed", range(3))
    async def test_readers_of_several_processes_read_the_whole_log(
        self, driver: LogDriver, harness: SharedLogHarness, seed: int
    ) -> None:
        drivers = [driver, await harness.reopen(), await harness.reopen()]
        await race(drivers, lambda driver: driver, seed=seed, scale=harness.scale)

    @pytest.mark.parametrize("seed", range(3))
    async def test_shared_reading_sees_what_other_processes_append(
        self, driver: LogDriver, harness: SharedLogHarness, seed: int
    ) -> None:
        drivers = [driver, await harness.reopen()]
        logs = {id(driver): Log(driver, Ports()) for driver in drivers}
        await race(drivers, lambda driver: logs[id(driver)], seed=seed, scale=harness.scale)

    @pytest.mark.parametrize("seed", SEEDS)
    async def test_several_processes_answer_as_one_unique_table(
        self, driver: LogDriver, harness: SharedLogHarness, seed: int
    ) -> None:
        draw = Random(seed)  # noqa: S311 - a seed makes the same history again
        oracle = Oracle()
        drivers = [driver]
        for _ in range(4):
            drivers.append(await harness.reopen())
            await compare(drivers, oracle, draw, steps=15 * harness.scale)
            if draw.random() < 0.7:
                await drivers.pop(draw.randrange(len(drivers))).close()
