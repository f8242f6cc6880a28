"""Chapter "never skips": what a reader has read is a prefix of the log, at every moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import pytest

from tidings.conformance.harness import LogHarness
from tidings.conformance.log_waiting import waiting, woken
from tidings.conformance.samples import event, everything, turn
from tidings.events.envelope import Entry
from tidings.events.filter import EVERYTHING, Filter
from tidings.log.driver import LogDriver, Write
from tidings.log.log import Log

WRITERS = 6
FLUSHES = 8
PAGES = (3, 7, 100)
SEEDS = range(20)
WANTED = Filter(types=frozenset({"0", "2"}))
LAST = "the end"


async def write(driver: LogDriver, draw: Random, writer: int, *, flushes: int) -> None:
    """Append flushes of every size at random moments; some are refused, some repeated."""
    for flush in range(flushes):
        writes = [
            Write(
                envelopes=tuple(
                    event(f"{writer}-{flush}-{n}-{i}", type=str(draw.randrange(4)), subject=f"s/{draw.randrange(9)}")
                    for i in range(draw.choice((1, 1, 3)))
                ),
                expected={f"refused/{writer}/{flush}": 1} if draw.random() < 0.1 else {},
            )
            for n in range(draw.choice((1, 1, 2, 20)))
        ]
        await driver.append(writes)
        if draw.random() < 0.2:
            await driver.append(writes)
        for _ in range(draw.randrange(4)):
            await turn()


async def follow(log: LogDriver | Log, driver: LogDriver, page: int, where: Filter) -> list[Entry]:
    """Read along until the last entry came; wait where there is nothing."""
    found: list[Entry] = []
    after = 0
    while not found or found[-1].envelope.id != LAST:
        read = await log.read(after=after, limit=page, where=where)
        assert all(entry.position > after for entry in read.entries)
        found += read.entries
        after = read.upto
        if not read.entries:
            await woken(waiting(driver, after))
    return found


async def race(
    drivers: Sequence[LogDriver], through: Callable[[LogDriver], LogDriver | Log], *, seed: int, scale: int
) -> None:
    """Let writers and readers, spread over the drivers, work at once; compare each reader's entries with the log."""
    draw = Random(seed)  # noqa: S311 - a seed makes the same race again
    readers = [
        (where, asyncio.create_task(follow(through(driver), driver, page, where)))
        for where in (EVERYTHING, WANTED)
        for driver in drivers
        for page in PAGES
    ]
    draws = [Random(draw.random()) for _ in range(WRITERS)]  # noqa: S311
    await asyncio.gather(
        *(write(drivers[n % len(drivers)], each, n, flushes=FLUSHES * scale) for n, each in enumerate(draws))
    )
    await drivers[0].append([Write(envelopes=(event(LAST, type="0"),))])
    log = await everything(drivers[-1])
    assert [entry.position for entry in log] == sorted({entry.position for entry in log})
    for where, reader in readers:
        assert await reader == [entry for entry in log if where.matches(entry.envelope, 0)]


class NeverSkipping:
    """A mixin of `LogSuite`."""

    @pytest.mark.parametrize("seed", SEEDS)
    async def test_every_reader_reads_the_whole_log(self, driver: LogDriver, harness: LogHarness, seed: int) -> None:
        await race([driver], lambda driver: driver, seed=seed, scale=harness.scale)

    @pytest.mark.parametrize("seed", SEEDS)
    async def test_readers_who_share_what_they_read_miss_nothing(
        self, driver: LogDriver, log: Log, harness: LogHarness, seed: int
    ) -> None:
        await race([driver], lambda _: log, seed=seed, scale=harness.scale)
