"""One of many processes that write to PostgreSQL: `python -m benchmarks.writer URL SEED`.

It prints `ready`; for each line `SIDE SECONDS` it writes one event at a time, for so long, and prints how many, and how
many seconds of the processor it took. Whoever writes, the loop and the collector of cycles are those of `tidings run`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

import uvloop

from benchmarks import bare_postgres
from benchmarks.events import envelopes
from tidings.api.serve import spare_what_stays
from tidings.backends.postgres.opening import open_postgres
from tidings.events.envelope import Envelope
from tidings.log.log import Log
from tidings.ports import Ports

PIECE = 500


def drawn(seed: int) -> Iterator[Envelope]:
    """Yield new events without end, made some hundred at a time."""
    for start in count(0, PIECE):
        yield from envelopes(PIECE, seed=seed, start=start)


async def main(url: str, seed: int) -> None:
    connection = await bare_postgres.connect(url)
    back_end = await open_postgres(url, Ports())
    log = Log(back_end.log, Ports())
    given = drawn(seed)

    async def insert(statement: str) -> None:
        values = [column[0] for column in bare_postgres.columns([next(given)])]
        await connection.fetchval(statement, 0, *values)

    async def append() -> None:
        await log.append((next(given),))

    sides: dict[str, Callable[[], Awaitable[None]]] = {
        "plain": lambda: insert(bare_postgres.ONE),
        "locked": lambda: insert(bare_postgres.LOCKED),
        "ours": append,
    }
    for side in sides.values():
        await side()  # statements are prepared, connections open
    spare_what_stays()
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        name, seconds = line.split()
        used = time.process_time()
        events = await written(sides[name], float(seconds))
        print(events, time.process_time() - used, flush=True)
    await log.close()
    await back_end.close()
    await connection.close()


async def written(write: Callable[[], Awaitable[None]], seconds: float) -> int:
    end = time.perf_counter() + seconds
    events = 0
    while time.perf_counter() < end:
        await write()
        events += 1
    return events


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2])))
