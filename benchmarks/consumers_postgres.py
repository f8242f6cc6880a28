"""Two processes that fold one view on PostgreSQL, each with its share of the partitions, beside one that has all.

The same is done by a bare loop: what two of those come to is what the machine leaves to a second process, for each of
them keeps a session of the server busy, too. Processor time says whether a second process makes an event dearer.
"""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

import asyncpg

from benchmarks import bare_carrying, bare_postgres, fold, ours
from benchmarks.figures import Figure, Result, ratio, spell
from benchmarks.machine import Disk
from benchmarks.rounds import alternate
from benchmarks.server import cpu_seconds, started
from benchmarks.sizes import Sizes
from tidings.backends.postgres.opening import open_postgres
from tidings.events.identity import SLOTS
from tidings.ports import Ports
from tidings.store.driver import StoreDriver

NAME = "consumers-postgres"
ONE, TWO = "one process", "two processes"
BARE_ONE, BARE_TWO = "bare loop, one process", "bare loop, two processes"
TARGET = 1.5
TABLE = "bookmarks.bookmark__v1"


async def measure(folder: Path, sizes: Sizes) -> Result:
    with bare_postgres.server(folder) as url:
        log = await bare_postgres.made(url, "log")
        await fold.prepare(log, sizes.consumers)
        await bare_postgres.settled(log)

        used: dict[str, list[float]] = {ONE: [], TWO: []}

        async def run(side: str, processes: int) -> float:
            own = await bare_postgres.made(url, "ours", template="log")
            return await _carried(own, processes, sizes.consumers, used[side])

        async def run_bare(processes: int) -> float:
            own = await bare_postgres.made(url, "bare", template="log")
            return await _carried_bare(own, processes, sizes.consumers)

        figures = await alternate(
            {
                ONE: lambda: run(ONE, 1),
                TWO: lambda: run(TWO, 2),
                BARE_ONE: lambda: run_bare(1),
                BARE_TWO: lambda: run_bare(2),
            },
            Disk(folder),
            events=dict.fromkeys((ONE, TWO, BARE_ONE, BARE_TWO), sizes.consumers),
            rounds=sizes.rounds,
        )
    dearer = [two / one for one, two in zip(used[ONE], used[TWO], strict=True)]
    machine = ratio("", figures[BARE_TWO], figures[BARE_ONE], limit=0)
    return Result(
        measure="fold into a view on PostgreSQL by several processes",
        figures=[
            *figures.values(),
            *(Figure(name=f"{side}, processor time", unit="µs/event", rounds=found) for side, found in used.items()),
        ],
        checks=[ratio(f"{TWO} / {ONE}", figures[TWO], figures[ONE], limit=TARGET)],
        notes=[
            f"two bare loops are {_told(machine.rounds)} times one here, and where two share the work an event takes "
            f"{_told(dearer)} times the processor time, of processes and sessions together",
            "time begins when every partition has its owner, which takes up to half a second, and what is folded "
            "until then does not count",
        ],
    )


def _told(rounds: Sequence[float]) -> str:
    return f"{spell(median(rounds))} [{spell(min(rounds))}-{spell(max(rounds))}]"


async def _carried(url: str, processes: int, count: int, used: list[float]) -> float:
    """Have so many processes fold the log; return the seconds that all of it would take them once they share it.

    Add to `used` how many µs of processor time an event took them and their sessions.
    """
    back_end = await open_postgres(url, Ports())
    store, consumer = back_end.store, fold.CONSUMER
    direct = await asyncpg.connect(url)
    await store.register(consumer, partitions=store.facts.partitions, start=0)
    await store.pause(consumer, "until all are there")
    async with _running(url, processes) as began:
        await _until(lambda: _all_ask(store, processes))
        await store.pause(consumer, None)
        await _until(lambda: _all_hold(store, processes))
        own = [process.pid for process in began]
        spent = {pid: cpu_seconds(pid) for pid in own + await _sessions(direct)}
        before: int = await direct.fetchval(f"SELECT count(*) FROM {TABLE}")
        begun = time.perf_counter()
        head = (await back_end.log.head()).position
        await ours.until_settled(store, consumer, head)
        seconds = time.perf_counter() - begun
        computed = sum(cpu_seconds(pid) - spent.get(pid, 0) for pid in own + await _sessions(direct))
        used.append(computed / (count - before) * 1_000_000)
    await direct.close()
    await back_end.close()
    await bare_postgres.check(url, TABLE, count)
    return seconds * count / (count - before)


async def _sessions(direct: asyncpg.Connection) -> list[int]:
    """Return the processes of the server that work for this database, but for the one that is asked."""
    asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return [pid for (pid,) in await direct.fetch(asked)]


async def _carried_bare(url: str, processes: int, count: int) -> float:
    """Have so many bare loops fold the log, each its share; return the seconds it took them."""
    direct = await asyncpg.connect(url)
    await direct.execute(bare_carrying.MADE)
    bounds = [SLOTS * n // processes for n in range(processes + 1)]
    began = [
        await started("benchmarks.bare_carrying", url, str(first), str(end), stdin=PIPE)
        for first, end in pairwise(bounds)
    ]
    while len(await _sessions(direct)) < processes:
        await asyncio.sleep(ours.LOOK_SECONDS)
    begun = time.perf_counter()
    await asyncio.gather(*(process.communicate(b"") for process in began))
    seconds = time.perf_counter() - begun
    await direct.close()
    await bare_postgres.check(url, bare_carrying.TABLE, count)
    return seconds


@asynccontextmanager
async def _running(url: str, processes: int) -> AsyncIterator[Sequence[asyncio.subprocess.Process]]:
    began = [await started("benchmarks.carrying", url, stdin=PIPE) for _ in range(processes)]
    try:
        yield began
    finally:
        for process in began:
            await process.communicate(b"")  # which closes its input, and so ends it


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    while not await is_so():
        await asyncio.sleep(ours.LOOK_SECONDS)


async def _all_ask(store: StoreDriver, processes: int) -> bool:
    return len(await store.asking(fold.CONSUMER)) == processes


async def _all_hold(store: StoreDriver, processes: int) -> bool:
    owners = [checkpoint.owner for checkpoint in (await store.checkpoints(fold.CONSUMER)).values()]
    return None not in owners and len(set(owners)) == processes
