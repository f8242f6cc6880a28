"""Sixteen processes that append one event at a time to PostgreSQL, beside as many that insert a row at a time.

What they come to depends on the disk: where a flush is quick, it is processor time alone that tells them apart, and one
lock for all costs plain inserts no more than half. So what such a lock costs is judged where a flush takes some
milliseconds, as that of a volume over the network does.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from benchmarks import bare_postgres
from benchmarks.figures import Figure, Result, ratio, spell
from benchmarks.sizes import Sizes

NAME = "writers-postgres"
WRITERS = 16
TARGET, LOCKED_TARGET = 0.7, 3
SLOW_MS = 4
PLAIN, LOCKED, OURS = "plain inserts", "plain inserts, one advisory lock", "Log.append"
_SIDES = {"plain": PLAIN, "locked": LOCKED, "ours": OURS}
_ON_SLOW = f", a flush {SLOW_MS} ms longer"
_ROOT = Path(__file__).parent.parent


async def measure(folder: Path, sizes: Sizes) -> Result:
    rates: dict[str, list[float]] = {name: [] for name in _SIDES}
    slow: dict[str, list[float]] = {name: [] for name in _SIDES}
    used: dict[tuple[str, str], list[float]] = {(of, name): [] for of in ("clients", "server") for name in _SIDES}
    with bare_postgres.server(folder) as url:
        writers = await asyncio.gather(*(_begun(url, n) for n in range(WRITERS)))
        watching = await bare_postgres.connect(url)
        for _ in range(sizes.rounds):
            for name in _SIDES:
                before = await bare_postgres.cpu_seconds(watching)
                events, seconds = await _turn(writers, name, sizes.calling)
                rates[name].append(events / sizes.calling)
                used["clients", name].append(seconds / events * 1_000_000)
                seconds = await bare_postgres.cpu_seconds(watching) - before
                used["server", name].append(seconds / events * 1_000_000)
        await _slow_down(watching)
        for _ in range(sizes.rounds):
            for name in _SIDES:
                events, _ = await _turn(writers, name, sizes.calling)
                slow[name].append(events / sizes.calling)
        await watching.close()
        for writer in writers:
            await writer.communicate(b"")  # which closes its input, and so ends it
    plain, locked, ours = (Figure(name=_SIDES[name], unit="events/s", rounds=found) for name, found in rates.items())
    figures = {
        name: Figure(name=f"{_SIDES[name]}{_ON_SLOW}", unit="events/s", rounds=found) for name, found in slow.items()
    }
    on_slow = ratio("", figures["ours"], figures["plain"], limit=0)
    bound, found_bound = (ratio("", one, locked, limit=0) for one in (plain, ours))
    costs = [
        Figure(name=f"CPU time of the {of}, {_SIDES[name]}", unit="µs an event", rounds=found)
        for (of, name), found in used.items()
    ]
    return Result(
        measure=f"{WRITERS} processes that append one event at a time to PostgreSQL",
        figures=[plain, locked, ours, *costs, *figures.values()],
        checks=[
            ratio(f"{OURS} / {PLAIN}", ours, plain, limit=TARGET),
            ratio(
                f"{OURS} / {LOCKED}{_ON_SLOW}",
                figures["ours"],
                figures["locked"],
                limit=LOCKED_TARGET,
            ),
        ],
        notes=[
            "the bare sides insert one row by a prepared statement of asyncpg, and notice no repeat",
            f"on the disk as it is plain inserts are {spell(bound.median)} times those under one lock, which is held "
            f"across a flush, and {OURS} {spell(found_bound.median)} times",
            f"where a flush takes {SLOW_MS} ms more (`commit_delay`), {OURS} is {spell(on_slow.median)} of plain "
            "inserts",
        ],
    )


async def _slow_down(connection: asyncpg.Connection) -> None:
    """Have whoever flushes wait before: it holds up whoever wants a flush meanwhile, as a slower disk would."""
    await connection.execute("ALTER SYSTEM SET commit_siblings = 0")
    await connection.execute(f"ALTER SYSTEM SET commit_delay = {SLOW_MS * 1_000}")
    await connection.execute("SELECT pg_reload_conf()")


async def _begun(url: str, n: int) -> Process:
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.writer", url, str(1 + n)), cwd=_ROOT, stdin=PIPE, stdout=PIPE
    )
    await _line(writer)
    return writer


async def _turn(writers: Sequence[Process], side: str, seconds: float) -> tuple[int, float]:
    """Have all of them write for so long; return how many events, and the seconds of their processors."""
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(f"{side} {seconds}\n".encode())
    found = [(await _line(writer)).split() for writer in writers]
    return sum([int(events) for events, _ in found]), sum([float(used) for _, used in found])


async def _line(writer: Process) -> bytes:
    assert writer.stdout is not None
    line = await writer.stdout.readline()
    if not line:
        raise RuntimeError(f"a writer ended with {await writer.wait()}")
    return line
