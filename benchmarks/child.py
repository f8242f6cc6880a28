"""What has to run in a process of its own, since its memory and its time are what is measured.

`python -m benchmarks.child replay PATH` folds a view anew from the whole log; `wait PATH SECONDS` runs one consumer
without traffic, `wait-all PATH SECONDS` all of Chirp's; `reconcile PATH ROWS` compares a copy with a list of as many,
once `copy PATH ROWS` has made it.
Each prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from benchmarks import listed
from benchmarks.events import bookmarks
from tidings import App
from tidings.settings import Settings

_CHIRP = Path(__file__).parent.parent / "examples"
SETTLE_SECONDS = 2.0


async def replay(path: str) -> dict[str, float]:
    """Rebuild the view beside the current one; return seconds and the process's memory."""
    app = App(bookmarks)
    async with app.open(_settings(path), consume=False) as opened:
        before = memory("VmRSS")
        started = time.perf_counter()
        await opened.carrying.rebuild(app.views[0])
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "before": before, "peak": memory("VmHWM")}


async def copy(path: str, rows: int) -> dict[str, float]:
    """Make a copy of so many rows."""
    listing = listed.Listed(rows, page=listed.PAGE)
    app = listed.shop(listing)
    async with app.open(_settings(path), consume=False) as opened:
        await listed.fill(opened, app, listing)
    return {}


async def reconcile(path: str, rows: int) -> dict[str, float]:
    """Compare a copy with a list that is equal; return rows in a second of the processor's time, but the adapter's.

    `bare`: the same of a loop that only reads, hashes and compares.
    """
    from tidings.api.serve import spare_what_stays  # here, since those who wait are measured without a server

    listing = listed.Listed(rows, page=listed.PAGE)
    app = listed.shop(listing)
    async with app.open(_settings(path), consume=False) as opened:
        spare_what_stays()
        before, used = memory("VmRSS"), time.process_time()
        listing.used = 0.0
        run = await opened.scopes[listed.SCOPE].run("run", applies=True)
        seconds = time.process_time() - used - listing.used
        if (run.state, run.equal) != ("done", rows):
            raise RuntimeError(f"the run is {run.state}, {run.equal:,} rows of {rows:,} were equal")
        found = {"rate": rows / seconds, "before": before, "peak": memory("VmHWM")}
        secret = (await opened.scopes[listed.SCOPE].record()).secret
    connection, used = sqlite3.connect(path), time.process_time()
    listing.used = 0.0
    equal = await listed.bare(connection, listing, secret, app.views[0].row)
    seconds = time.process_time() - used - listing.used
    connection.close()
    if equal != rows:
        raise RuntimeError(f"{equal:,} rows of {rows:,} were equal")
    return {**found, "bare": rows / seconds}


async def wait_all(path: str, seconds: float) -> dict[str, float]:
    """Do as `wait` with all consumers of Chirp."""
    sys.path.insert(0, str(_CHIRP))
    from chirp.app import app

    return await wait(path, seconds, app)


async def wait(path: str, seconds: float, app: App) -> dict[str, float]:
    """Run an application that has nothing to do; return its share of a core, its memory, and how many consumers."""
    async with app.open(_settings(path)) as opened:
        await asyncio.sleep(SETTLE_SECONDS)
        started, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        share = (time.process_time() - used) / (time.perf_counter() - started)
        consumers = len(await opened.carrying.consumers())
        return {"share": share, "memory": memory("VmRSS"), "consumers": consumers}


def memory(name: str) -> float:
    """Return a size of this process in MB (10^6 bytes), as the kernel counts it: VmRSS now, VmHWM at most ever."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1_024 / 1_000_000
    raise RuntimeError(f"the kernel does not tell {name}")


def _settings(path: str) -> Settings:
    return Settings(database_url=f"sqlite:///{path}")


if __name__ == "__main__":
    if sys.argv[1] == "replay":
        found = replay(sys.argv[2])
    elif sys.argv[1] == "reconcile":
        found = reconcile(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "copy":
        found = copy(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "wait":
        found = wait(sys.argv[2], float(sys.argv[3]), App(bookmarks))
    else:
        found = wait_all(sys.argv[2], float(sys.argv[3]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as `tidings run` does
        print(msgspec.json.encode(runner.run(found)).decode())
