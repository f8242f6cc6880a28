"""Measured servers and their callers, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.load import Found, Load

_ROOT = Path(__file__).parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return how long a process has computed, on all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers on this port of this machine."""

    side: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return how long its process has computed, on all its threads."""
        return cpu_seconds(self.pid)

    def memory(self, name: str = "VmHWM") -> float:
        """Return a size of its process in MB (10^6 bytes): at most ever, or VmRSS now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1_024 / 1_000_000
        raise RuntimeError(f"the kernel does not tell {name}")


@asynccontextmanager
async def serving(side: str, url: str) -> AsyncIterator[Server]:
    """Run a side of `benchmarks.serving` on this database, until the block is left."""
    process = await started("benchmarks.serving", side, url)
    assert process.stdout is not None
    try:
        told = await process.stdout.readline()
        if not told.strip():
            raise RuntimeError(f"the server {side} did not start")
        yield Server(side, int(told), process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def call(load: Load) -> Found:
    """Let `benchmarks.load` send this; RuntimeError if it fails."""
    return msgspec.json.decode(await answer_of("benchmarks.load", msgspec.json.encode(load).decode()), type=Found)


async def answer_of(module: str, *arguments: str) -> bytes:
    """Run a module to its end and return what it printed; RuntimeError if it fails."""
    process = await started(module, *arguments)
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module} ended with {process.returncode}")
    return printed


async def started(module: str, *arguments: str, stdin: int | None = None) -> asyncio.subprocess.Process:
    """Start a module whose standard output can be read."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=_ROOT, stdin=stdin, stdout=asyncio.subprocess.PIPE
    )
