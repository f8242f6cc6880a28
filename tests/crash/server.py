"""The real server as a process, started on the same database and port again and again."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.crash import shop
from tests.crash.processes import PATIENCE, ROOT
from tests.crash.stacks import ALL_TOLD, TELL_TASKS, TELL_THREADS
from tests.crash.telling import noted
from tests.warm.begun import Begun
from tests.warm.processes import begin
from tidings.demo.server import free_port

LOOK = 0.005
STACKS_SECONDS = 10.0


class Server:
    """One `tidings run` at a time. `folder`: of its database, its records, and its notes of calls."""

    def __init__(self, folder: Path, name: str = "server") -> None:
        self.name = name
        self.is_excused = False
        self.port = free_port()
        self._folder = folder
        self._process: Begun | None = None

    @property
    def _records(self) -> Path:
        return self._folder / f"{self.name}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin the process; it may take a moment until it answers."""
        self.is_excused = False
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        set_up = {"TIDINGS_DATABASE_URL": shop.settings(self._folder).database_url, "PYTHONPATH": paths}
        with self._records.open("ab") as records:
            arguments = ("tidings", "run", "tests.crash.served:app", "--port", str(self.port))
            self._process = begin(*arguments, folder=self._folder, environment=kept | set_up, records=records)

    def excuse(self) -> None:
        """Let it end by itself until it is begun again: its database was away while it started."""
        self.is_excused = True

    def begin_again(self) -> None:
        """Start it if it has ended while it was excused."""
        if not self._is_running():
            self.start()

    async def until_listening(self) -> None:
        """Come back when it takes connections; fail if it ends before, unless it is excused."""
        async with asyncio.timeout(PATIENCE):
            while not await self.is_listening():
                self.begin_again()
                await asyncio.sleep(LOOK)

    async def is_listening(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    @property
    def _running(self) -> Begun:
        assert self._process is not None
        return self._process

    def _is_running(self) -> bool:
        if self._running.poll() is None:
            return True
        assert self.is_excused, self.last_words()
        return False

    async def kill(self) -> None:
        """`kill -9`, and come back when nothing is left of it. It must not have ended by itself."""
        if self._is_running():
            self._running.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._running.wait)

    async def stop(self) -> int:
        """SIGTERM; return the exit code."""
        self._running.terminate()
        return await asyncio.to_thread(self._running.wait, PATIENCE)

    def leave_nothing(self) -> None:
        """Kill it if it still runs, as after a failure."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def stacks(self) -> str:
        """Have it tell where its threads and its tasks stand; return the end of its records.

        The tasks are missing if its event loop does not come round.
        """
        if self._process is None or self._process.poll() is not None:
            return f"{self.name} does not run: {self._process and self._process.returncode}\n{self.last_words()}"
        known = len(noted(self._records))
        self._process.send_signal(TELL_THREADS)
        self._process.send_signal(TELL_TASKS)
        with suppress(TimeoutError):
            async with asyncio.timeout(STACKS_SECONDS):
                while ALL_TOLD not in noted(self._records)[known:]:
                    await asyncio.sleep(LOOK)
        return "\n".join([f"{self.name} runs:", *noted(self._records)[max(0, known - 20) :]])

    def last_words(self) -> str:
        return "\n".join(noted(self._records)[-20:])
