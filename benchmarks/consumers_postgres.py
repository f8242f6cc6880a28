"""Two processes that fold one view on PostgreSQL, each with its share of the partitions, beside one that has all."""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from benchmarks import bare_postgres, fold, ours
from benchmarks.figures import Result, ratio
from benchmarks.machine import Disk
from benchmarks.rounds import alternate
from benchmarks.server import started
from benchmarks.sizes import Sizes
from tidings.backends.postgres.opening import open_postgres
from tidings.ports import Ports
from tidings.store.driver import StoreDriver

NAME = "consumers-postgres"
ONE, TWO = "one process", "two processes"
TARGET = 1.5
TABLE = "bookmarks.bookmark__v1"


async def measure(folder: Path, sizes: Sizes) -> Result:
    with bare_postgres.server(folder) as url:
        log = await bare_postgres.made(url, "log")
        await fold.prepare(log, sizes.consumers)
        await bare_postgres.settled(log)

        async def run(processes: int) -> float:
            return await _carried(await bare_postgres.made(url, "ours", template="log"), processes, sizes.consumers)

        figures = await alternate(
            {ONE: lambda: run(1), TWO: lambda: run(2)},
            Disk(folder),
            events=dict.fromkeys((ONE, TWO), sizes.consumers),
            rounds=sizes.rounds,
        )
    return Result(
        measure="fold into a view on PostgreSQL by several processes",
        figures=list(figures.values()),
        checks=[ratio(f"{TWO} / {ONE}", figures[TWO], figures[ONE], limit=TARGET)],
        notes=[
            "time begins when every partition has its owner, which takes up to half a second, and what is folded "
            "until then does not count"
        ],
    )


async def _carried(url: str, processes: int, count: int) -> float:
    """Have so many processes fold the log; return the seconds that all of it would take them once they share it."""
    back_end = await open_postgres(url, Ports())
    store, consumer = back_end.store, fold.CONSUMER
    direct = await asyncpg.connect(url)
    await store.register(consumer, partitions=store.facts.partitions, start=0)
    await store.pause(consumer, "until all are there")
    async with _running(url, processes):
        await _until(lambda: _all_ask(store, processes))
        await store.pause(consumer, None)
        await _until(lambda: _all_hold(store, processes))
        begun, before = time.perf_counter(), await direct.fetchval(f"SELECT count(*) FROM {TABLE}")
        await ours.until_settled(store, consumer, (await back_end.log.head()).position)
        seconds = time.perf_counter() - begun
    await direct.close()
    await back_end.close()
    await bare_postgres.check(url, TABLE, count)
    return seconds * count / (count - before)


@asynccontextmanager
async def _running(url: str, processes: int) -> AsyncIterator[None]:
    began = [await started("benchmarks.carrying", url, stdin=PIPE) for _ in range(processes)]
    try:
        yield
    finally:
        for process in began:
            await process.communicate(b"")  # which closes its input, and so ends it


async def _until(is_so: Callable[[], object]) -> None:
    while not await is_so():
        await asyncio.sleep(ours.LOOK_SECONDS)


async def _all_ask(store: StoreDriver, processes: int) -> bool:
    return len(await store.asking(fold.CONSUMER)) == processes


async def _all_hold(store: StoreDriver, processes: int) -> bool:
    owners = [checkpoint.owner for checkpoint in (await store.checkpoints(fold.CONSUMER)).values()]
    return None not in owners and len(set(owners)) == processes
