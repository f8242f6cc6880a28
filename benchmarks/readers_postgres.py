"""How soon a reader that waits has what was appended to PostgreSQL, and whom somebody else's open transaction holds up.

Beside nobody else's stand an idle transaction that has appended to a log in another database of the same server, which
is nobody's matter, and a writer that sleeps before it commits: what comes behind its number waits for it, and nothing
and nobody else does. Below each event a number is missing for ever, since the transaction that drew it was undone: a
reader that were not sure of that would wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from statistics import median

from tests.postgres.held import Held, held

from benchmarks import bare_postgres
from benchmarks.events import envelopes
from benchmarks.figures import Check, Figure, Result, ratio
from benchmarks.ours import open_log
from benchmarks.sizes import Sizes
from tidings.events.envelope import Envelope
from tidings.log.driver import Position
from tidings.log.log import Log

NAME = "readers-postgres"
IDLE_TARGET, SLOW_TARGET, BEHIND_MS = 1.2, 1.2, 100
APART = 0.02
"""Seconds between two appends, so that the reader waits for each of them, and no hint waits for one before it."""
SLEEP = 0.05
LONGEST = 20.0


@dataclass(slots=True)
class Round:
    """What was found in one round, in seconds. `unread`: entries before a slow writer's that a new reader lacked."""

    append: list[float] = field(default_factory=list)
    append_slow: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    visible_idle: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)
    unread: int = 0


async def measure(folder: Path, sizes: Sizes) -> Result:
    with bare_postgres.server(folder) as url:
        log, elsewhere = await bare_postgres.made(url, "log"), await bare_postgres.made(url, "elsewhere")
        async with _parties(log, elsewhere) as parties:
            rounds = [await parties.round(sizes.readers) for _ in range(sizes.rounds)]
    visible, idle = _figure("visible", rounds), _figure("visible_idle", rounds)
    append, slow = _figure("append", rounds), _figure("append_slow", rounds)
    behind = _figure("behind", rounds)
    return Result(
        measure="from an append to PostgreSQL to a reader that waits for it, half within",
        figures=[visible, idle, append, slow, behind],
        checks=[
            ratio(f"{idle.name} / {visible.name}", idle, visible, limit=IDLE_TARGET, sense="at most"),
            ratio(f"{slow.name} / {append.name}", slow, append, limit=SLOW_TARGET, sense="at most"),
            Check(name=behind.name, rounds=behind.rounds, limit=BEHIND_MS, sense="at most", unit="ms"),
            Check(
                name="entries before the number of a slow writer that a new reader did not get",
                rounds=[each.unread for each in rounds],
                limit=0,
                sense="at most",
            ),
        ],
        notes=[f"the slow writer holds a number and sleeps {SLEEP * 1_000:.0f} ms before it commits"],
    )


_NAMES = {
    "visible": "visible, nobody else writes",
    "visible_idle": "visible, beside an idle write transaction in another database",
    "append": "append, nobody else writes",
    "append_slow": "append, beside a slow writer",
    "behind": "visible behind a slow writer's number, after its commit",
}


def _figure(what: str, rounds: list[Round]) -> Figure:
    return Figure(name=_NAMES[what], unit="ms", rounds=[median(getattr(each, what)) * 1_000 for each in rounds])


@asynccontextmanager
async def _parties(url: str, elsewhere: str) -> AsyncIterator[_Parties]:
    async with AsyncExitStack() as stack:
        logs = [await stack.enter_async_context(open_log(url)) for _ in range(3)]
        async with open_log(elsewhere):  # which makes the tables
            slow, idle = [await stack.enter_async_context(held(of)) for of in (url, elsewhere)]
        yield _Parties(*logs, slow, idle)


class _Parties:
    """Who writes and who reads, each over connections of its own, as processes of their own would."""

    def __init__(self, writer: Log, reader: Log, newcomer: Log, slow: Held, idle: Held) -> None:
        self._writer = writer
        self._reader = reader
        self._newcomer = newcomer
        self._slow = slow
        self._idle = idle
        self._events = _events()
        self._last: Position = 0

    async def round(self, samples: int) -> Round:
        """Take each sample beside the others, so that all see the same machine, and come first equally often."""
        found = Round()
        kinds = [self._alone, self._beside_idle, self._beside_slow]
        await self._appended()  # statements are prepared, connections open
        for number in range(samples):
            first = number % len(kinds)
            for sample in kinds[first:] + kinds[:first]:
                await sample(found)
        return found

    async def _alone(self, found: Round) -> None:
        append, visible = await self._appended()
        found.append.append(append)
        found.visible.append(visible)

    async def _beside_idle(self, found: Round) -> None:
        await self._idle.run("BEGIN")
        await self._idle.append(next(self._events))
        found.visible_idle.append((await self._appended())[1])
        await self._idle.run("ROLLBACK")

    async def _appended(self) -> tuple[float, float]:
        """Append one event that the reader waits for; return how long it took to be kept, and to be read."""
        await self._slow.run("BEGIN")
        await self._slow.append(next(self._events))
        await self._slow.run("ROLLBACK")
        reading = asyncio.create_task(self._read(self._last))
        await asyncio.sleep(APART)
        begun = time.perf_counter()
        await self._writer.append((next(self._events),))
        kept = time.perf_counter()
        self._last, seen = await reading
        return kept - begun, seen - begun

    async def _read(self, after: Position) -> tuple[Position, float]:
        async with asyncio.timeout(LONGEST):
            while True:
                await self._reader.wait(after=after, timeout=timedelta(seconds=LONGEST))
                page = await self._reader.read(after=after, limit=100)
                if page.entries:
                    return page.upto, time.perf_counter()

    async def _beside_slow(self, found: Round) -> None:
        before = self._last
        await self._slow.run("BEGIN")
        [number] = await self._slow.append(next(self._events))
        reading = asyncio.create_task(self._read(before))
        await asyncio.sleep(APART)
        begun = time.perf_counter()
        receipt = await self._writer.append((next(self._events),))
        found.append_slow.append(time.perf_counter() - begun)
        page = await self._newcomer.read(after=before - 1, limit=100)
        if page.upto >= number:
            raise RuntimeError(f"{page.upto} was read before the writer of {number} committed")
        found.unread += page.upto < before
        await asyncio.sleep(SLEEP)
        await self._slow.run("COMMIT")
        committed = time.perf_counter()
        self._last, seen = await reading
        if self._last != receipt.positions[-1]:
            self._last, seen = await self._read(self._last)
        found.behind.append(seen - committed)


def _events() -> Iterator[Envelope]:
    for seed in count(1):
        yield from envelopes(1_000, seed=seed)
