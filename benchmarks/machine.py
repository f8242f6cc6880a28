"""What the figures were measured on, how long its disk takes to flush, and how often it did."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from benchmarks.figures import Figure
from benchmarks.place import file_system

FLUSHES = 100
PEERS = ("asyncpg", "uvicorn", "fastapi", "sqlalchemy", "aiosqlite", "eventsourcing", "psycopg", "dbos", "reladiff")


class Disk:
    """The disk under a folder."""

    def __init__(self, folder: Path) -> None:
        device = os.stat(folder).st_dev
        self._folder = folder
        self._numbers = [str(os.major(device)), str(os.minor(device))]

    def flushes(self) -> int | None:
        """Return how often the disk has flushed, whoever asked for it; None if the kernel does not tell."""
        try:
            lines = Path("/proc/diskstats").read_text().splitlines()
        except OSError:
            return None
        found = next((line.split() for line in lines if line.split()[:2] == self._numbers), [])
        return int(found[18]) if len(found) > 18 else None

    def flush_latency(self) -> Figure:
        """Measure how long a flush of 4 KiB takes, in milliseconds."""
        path = self._folder / "flushed"
        times: list[float] = []
        with path.open("wb", buffering=0) as file:
            for _ in range(FLUSHES):
                file.write(bytes(4096))
                started = time.perf_counter()
                os.fsync(file.fileno())
                times.append((time.perf_counter() - started) * 1_000)
        path.unlink()
        return Figure(name="flush of 4 KiB to the disk", unit="ms", rounds=times)


def described(folder: Path) -> dict[str, str]:
    """Return what has to stand beside every figure."""
    disk = Disk(folder)
    return {
        "cpu": f"{os.cpu_count()} x {_cpu()}",
        "system": platform.platform(),
        "file system": file_system(folder),
        "flush": str(disk.flush_latency()),
        "flushes are counted": "by the kernel, of the whole disk" if disk.flushes() is not None else "by nobody here",
        "python": platform.python_version(),
        "sqlite": f"{sqlite3.sqlite_version}, synchronous=FULL",
        "msgspec": msgspec.__version__,
        "tidings": version("tidings"),
        **{name: _version(name) for name in PEERS},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
