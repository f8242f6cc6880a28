"""Webhooks out: sent to a receiver on this machine that answers at once, beside bare aiohttp that signs and posts.

Each attempt and each result is durable. Beside one endpoint that never answers the others are to be as fast.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from benchmarks.figures import Figure, Result, ratio
from benchmarks.ours import in_file
from benchmarks.posting import CONNECTIONS, Posted
from benchmarks.server import answer_of, started
from benchmarks.sizes import Sizes

NAME = "deliver"
OURS, BARE, BESIDE = "tidings", "bare aiohttp", "tidings beside one endpoint that hangs"
SIDES = {BARE: "bare", OURS: "ours", BESIDE: "beside"}
RATIO_TARGET, BESIDE_TARGET = 0.6, 0.9
NOTES = (
    "both sides sign each body, 690 bytes of a structured event, with HMAC-SHA256, and post from a fresh process",
    "ours has as many slots as bare aiohttp has connections; whom each event goes to is known before",
    "the first tenth does not count; ours has ended once its last result is written",
)


async def measure(folder: Path, sizes: Sizes) -> Result:
    found: dict[str, list[Posted]] = {name: [] for name in SIDES}
    async with _sink() as port:
        for number in range(sizes.rounds):
            for name, side in SIDES.items():
                url = in_file(folder / f"{side}{number}.db")
                told = await answer_of("benchmarks.posting", side, str(port), str(sizes.posting), url)
                found[name].append(msgspec.json.decode(told, type=Posted))
    rates = {name: Figure(name=name, unit="requests/s", rounds=[each.rate for each in found[name]]) for name in SIDES}
    cpu = [
        Figure(name=f"{name}, CPU", unit="us a request", rounds=[each.cpu for each in found[name]]) for name in SIDES
    ]
    return Result(
        measure=f"webhooks out, {CONNECTIONS} connections",
        figures=[*rates.values(), *cpu],
        checks=[
            ratio(f"{OURS} / {BARE}", rates[OURS], rates[BARE], limit=RATIO_TARGET),
            ratio("beside one that hangs / alone", rates[BESIDE], rates[OURS], limit=BESIDE_TARGET),
        ],
        notes=NOTES,
    )


@asynccontextmanager
async def _sink() -> AsyncIterator[int]:
    """Run the receiver in a process of its own; return its port."""
    process = await started("benchmarks.sink")
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()
