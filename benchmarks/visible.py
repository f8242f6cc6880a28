"""From a PUT to its row in an async view, as a caller sees it: 500 of them a second, whatever becomes of those before.

Each is followed by a read of its row that waits for the position the PUT was answered with. What counts is the time
from the moment the PUT was due, so that a server which falls behind is not spared.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import msgspec

from benchmarks.figures import Check, Figure, Result
from benchmarks.ours import in_file
from benchmarks.server import answer_of, serving
from benchmarks.sizes import Sizes
from benchmarks.steady import Seen, Steady

NAME = "visible"
PER_SECOND = 500
MEDIAN_MS, P99_MS = 10, 50


async def measure(folder: Path, sizes: Sizes) -> Result:
    rounds: list[Seen] = []
    seeds = count(1)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving("ours_with_view", in_file(folder / "ours.db")))
        for _ in range(sizes.rounds):
            steady = Steady(port=server.port, per_second=PER_SECOND, seconds=sizes.calling, seed=next(seeds))
            printed = await answer_of("benchmarks.steady", msgspec.json.encode(steady).decode())
            rounds.append(msgspec.json.decode(printed, type=Seen))
    median, p99 = [seen.p50 for seen in rounds], [seen.p99 for seen in rounds]
    return Result(
        measure=f"from PUT to visible in an async view, {PER_SECOND} a second",
        figures=[
            Figure(name="PUT answered, half within", unit="ms", rounds=[seen.kept_p50 for seen in rounds]),
            Figure(name="PUT answered, 99 % within", unit="ms", rounds=[seen.kept_p99 for seen in rounds]),
            Figure(name="longest", unit="ms", rounds=[seen.longest for seen in rounds]),
            Figure(name="callers", unit="of a core", rounds=[seen.busy for seen in rounds]),
        ],
        checks=[
            Check(name="half within", rounds=median, limit=MEDIAN_MS, sense="at most", unit="ms"),
            Check(name="99 % within", rounds=p99, limit=P99_MS, sense="at most", unit="ms"),
        ],
        notes=["a read waits by Tidings-Min-Position and Prefer: wait, and is answered with the row"],
    )
