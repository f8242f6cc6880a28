"""What callers who wait cost those who do not: 1,000 waiting reads and 1,000 who follow the stream, beside ingest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import msgspec

from benchmarks.crowd import Crowd, Lost
from benchmarks.figures import Check, Figure, Result, ratio
from benchmarks.ingest import CONNECTIONS, WARM_SECONDS
from benchmarks.load import Found, Load
from benchmarks.ours import in_file
from benchmarks.server import Server, call, serving, started
from benchmarks.sizes import Sizes

NAME = "waiting-clients"
READS = STREAMS = 1_000
ALONE, CROWDED = "nobody waits", f"{READS:,} reads and {STREAMS:,} streams wait"
SHARE, MEGABYTES = 0.8, 400


async def measure(folder: Path, sizes: Sizes) -> Result:
    found: dict[str, list[Found]] = {ALONE: [], CROWDED: []}
    lost: list[Lost] = []
    seeds = count(1)
    async with AsyncExitStack() as stack:
        servers: dict[str, Server] = {}
        for name, file in ((ALONE, "alone.db"), (CROWDED, "crowded.db")):
            url = in_file(folder / file)
            servers[name] = await stack.enter_async_context(serving("ours_with_view", url))
        before = servers[CROWDED].memory("VmRSS")
        async with _crowd(servers[CROWDED].port, lost):
            for _ in range(sizes.rounds):
                for name, server in servers.items():
                    load = Load(
                        port=server.port,
                        connections=CONNECTIONS,
                        seconds=sizes.calling,
                        warm=WARM_SECONDS,
                        seed=next(seeds),
                    )
                    found[name].append(await call(load))
            peaks = {name: server.memory() for name, server in servers.items()}
    rates = {
        name: Figure(name=name, unit="events/s", rounds=[each.rate for each in rounds])
        for name, rounds in found.items()
    }
    return Result(
        measure="ingest beside callers who wait",
        figures=[
            *rates.values(),
            *[
                Figure(name=f"99 % within, {name}", unit="ms", rounds=[each.p99 for each in rounds])
                for name, rounds in found.items()
            ],
            Figure(name="memory before anybody came", unit="MB", rounds=[before]),
            Figure(name=f"peak memory, {ALONE}", unit="MB", rounds=[peaks[ALONE]]),
        ],
        checks=[
            ratio(f"{CROWDED} / {ALONE}", rates[CROWDED], rates[ALONE], limit=SHARE),
            Check(name="peak memory", rounds=[peaks[CROWDED]], limit=MEGABYTES, sense="at most", unit="MB"),
            Check(
                name="waits cut off or refused",
                rounds=[float(each.closed + each.refused) for each in lost],
                limit=0,
                sense="at most",
            ),
        ],
        notes=["each waits for a subject of its own, or for a view to reach a position; none of that comes"],
    )


@asynccontextmanager
async def _crowd(port: int, lost: list[Lost]) -> AsyncIterator[None]:
    """Have the crowd there while the block runs."""
    crowd = Crowd(port=port, reads=READS, streams=STREAMS)
    process = await started("benchmarks.crowd", msgspec.json.encode(crowd).decode(), stdin=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    if not await process.stdout.readline():
        raise RuntimeError("the crowd did not come")
    try:
        yield
    finally:
        printed, _ = await process.communicate(b"")
        lost.append(msgspec.json.decode(printed, type=Lost))
