"""The real server as a process of its own: started, killed without warning, started again, asked by command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from tidings.errors import OperatorError
from tidings.ports import Clock

READY_WITHIN = 30.0


def chirp_folder() -> Path:
    """Return the folder that holds the package `chirp`: beside this file in a wheel, in `examples/` in a checkout."""
    here = Path(__file__).resolve()
    for folder in (here.parent, here.parents[3] / "examples"):
        if (folder / "chirp" / "__init__.py").is_file():
            return folder
    raise OperatorError("the reference application is missing from this installation: install tidings again")


class Server:
    """One `tidings run chirp:app` at a time, always on the same port and database."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.port = _free_port()
        self.kills = 0
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"
        self.mailbox = folder / "mailbox.jsonl"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder / 'chirp.db'}"

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tidings", *arguments]

    def _environment(self) -> dict[str, str]:
        # The demo's server must not be configured by whatever its caller runs tidings with.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        return kept | {
            "TIDINGS_DATABASE_URL": self.database_url,
            "TIDINGS_APP": "chirp:app",
            "CHIRP_MAILBOX": str(self.mailbox),
            "PYTHONPATH": str(chirp_folder()),
        }

    async def start(self) -> None:
        """Start the process and wait until it says that it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own module; forking is over in a moment
                self._command("run", "--port", str(self.port)),
                env=self._environment(),
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        deadline = self._clock.monotonic() + READY_WITHIN
        async with aiohttp.ClientSession() as session:
            while not await self._is_ready(session):
                if self._process.poll() is not None or self._clock.monotonic() > deadline:
                    raise OperatorError(f"the server did not start; its last words: {self._last_words()}")
                await self._clock.sleep(0.05)

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        return False

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "none"

    async def kill_and_restart(self) -> None:
        """`kill -9`, no warning, then the same again on the same file."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        self.kills += 1
        await self.start()

    async def stop(self) -> int:
        """SIGTERM; return the exit code. A server that does not end in 30 s is killed."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return await asyncio.to_thread(self._process.wait, 30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return await asyncio.to_thread(self._process.wait)

    async def ask(self, *arguments: str) -> Any:
        """Run a command of the command line on the same database with --json, and return what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self._command(*arguments, "--json"),
            env=self._environment(),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
        try:
            return json.loads(out)
        except ValueError:
            said = (errors or out).decode("utf-8", "replace").strip()
            raise OperatorError(f"`tidings {' '.join(arguments)}` did not answer: {said}") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
