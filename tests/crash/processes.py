"""Children that work on a database until they are done, or until a signal hits them at a point."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.warm import processes
from tests.warm.begun import Begun

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
LOOK = 0.01


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended. `told`: the lines it printed, each before it went on: what the world outside knows."""

    code: int
    told: tuple[str, ...]
    errors: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Child:
    """One process that does one of `tests.crash.work`."""

    def __init__(self, process: Begun) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def line(self) -> str:
        """Return the next line it prints; "" once it has ended."""
        assert self._process.stdout is not None
        return (await asyncio.wait_for(asyncio.to_thread(self._process.stdout.readline), PATIENCE)).strip()

    async def until_stopped(self) -> None:
        """Come back when the process stands still; fail if it ends."""
        for _ in range(int(PATIENCE / LOOK)):
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state in "Tt":
                return
            assert state != "Z", "it ended and was not stopped"
            await asyncio.sleep(LOOK)
        raise AssertionError("it was not stopped")

    def send(self, which: signal.Signals) -> None:
        self._process.send_signal(which)

    async def ended(self) -> Ended:
        out, errors = await asyncio.to_thread(self._process.communicate, PATIENCE)
        return Ended(self._process.wait(), tuple(out.splitlines()), errors)


async def start(work: str, folder: Path, *, point: str = "", nth: int = 1, options: str = "") -> Child:
    """Begin a work in this folder. It is killed the `nth` time that it passes the point."""
    return await begin("tests.crash.child", work, str(folder), point, str(nth), options)


async def begin(module: str, *arguments: str) -> Child:
    """Begin a module of ours."""
    begun = partial(processes.begin, module, *arguments, folder=ROOT, environment=os.environ)
    return Child(await asyncio.to_thread(begun))


async def run(work: str, folder: Path, *, point: str = "", nth: int = 1, options: str = "") -> Ended:
    """Run a work in this folder until it ends, or is killed as it passes the point for the `nth` time."""
    given = ("tests.crash.child", work, str(folder), point, str(nth), options)
    ended = await asyncio.to_thread(
        partial(processes.run, *given, folder=ROOT, environment=os.environ, timeout=PATIENCE)
    )
    return Ended(ended.code, tuple(ended.out.splitlines()), ended.err)


async def run_killed(work: str, folder: Path, *, point: str, nth: int = 1, options: str = "") -> Ended:
    """Run it, and see that it was killed where it should be."""
    ended = await run(work, folder, point=point, nth=nth, options=options)
    assert ended.was_killed, f"it was not killed at {point}: {ended.code} {ended.errors[-2000:]}"
    return ended


async def run_whole(work: str, folder: Path, *, options: str = "") -> Ended:
    """Run it, and see that it came to its end."""
    ended = await run(work, folder, options=options)
    assert ended.code == 0, ended.errors[-4000:]
    return ended
