"""Sixteen processes that append one event at a time to PostgreSQL, beside as many that insert a row at a time."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from benchmarks import bare_postgres
from benchmarks.figures import Figure, Result, ratio
from benchmarks.sizes import Sizes

NAME = "writers-postgres"
WRITERS = 16
TARGET, LOCKED_TARGET = 0.7, 3
PLAIN, LOCKED, OURS = "plain inserts", "plain inserts, one advisory lock", "Log.append"
_SIDES = {"plain": PLAIN, "locked": LOCKED, "ours": OURS}
_ROOT = Path(__file__).parent.parent


async def measure(folder: Path, sizes: Sizes) -> Result:
    rates: dict[str, list[float]] = {name: [] for name in _SIDES}
    with bare_postgres.server(folder) as url:
        writers = await asyncio.gather(*(_begun(url, n) for n in range(WRITERS)))
        for _ in range(sizes.rounds):
            for name, found in rates.items():
                found.append(await _rate(writers, name, sizes.calling))
        for writer in writers:
            await writer.communicate(b"")  # which closes its input, and so ends it
    plain, locked, ours = (Figure(name=_SIDES[name], unit="events/s", rounds=found) for name, found in rates.items())
    return Result(
        measure=f"{WRITERS} processes that append one event at a time to PostgreSQL",
        figures=[plain, locked, ours],
        checks=[
            ratio(f"{OURS} / {PLAIN}", ours, plain, limit=TARGET),
            ratio(f"{OURS} / {LOCKED}", ours, locked, limit=LOCKED_TARGET),
        ],
        notes=["the bare sides insert one row by a prepared statement of asyncpg, and notice no repeat"],
    )


async def _begun(url: str, n: int) -> Process:
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.writer", url, str(1 + n)), cwd=_ROOT, stdin=PIPE, stdout=PIPE
    )
    await _line(writer)
    return writer


async def _rate(writers: Sequence[Process], side: str, seconds: float) -> float:
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(f"{side} {seconds}\n".encode())
    return sum([int(await _line(writer)) for writer in writers]) / seconds


async def _line(writer: Process) -> bytes:
    assert writer.stdout is not None
    line = await writer.stdout.readline()
    if not line:
        raise RuntimeError(f"a writer ended with {await writer.wait()}")
    return line
