"""The real server as processes of their own: started, killed without warning, started again, asked by command line."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from tidings.demo.ground import Ground
from tidings.demo.standard import secret_of
from tidings.errors import OperatorError
from tidings.ports import Clock

READY_WITHIN = 60.0
PORTS = range(20_000, 32_000)
PORT_TRIES = 100
DESK = "bookmarks"
READERS = ("users", "lists", "orders")
FIRST, NEWEST = 1, 3
"""The releases of Chirp that a run begins and ends with."""


def chirp_folder() -> Path:
    """Return the folder that holds the package `chirp`: beside this file in a wheel, in `examples/` in a checkout."""
    here = Path(__file__).resolve()
    for folder in (here.parent, here.parents[3] / "examples"):
        if (folder / "chirp" / "__init__.py").is_file():
            return folder
    raise OperatorError("the reference application is missing from this installation: install tidings again")


def _path(chirp: Path) -> str:
    """Return where to find this release of Chirp, and the code that runs now."""
    return os.pathsep.join((str(chirp), str(Path(__file__).resolve().parents[2])))


class Server:
    """One process that serves, always on the same port. `arguments`: what it runs, as a module, its port left out.

    `release`: of Chirp, with which it is begun.
    """

    def __init__(self, place: Place, clock: Clock, *arguments: str) -> None:
        self.release = NEWEST
        self.port = free_port()
        self._place = place
        self._clock = clock
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Start the process."""
        with self._place.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module; forking is over in a moment
                [sys.executable, "-m", *self._arguments, "--port", str(self.port)],
                env=self._place.environment_of(self.release),
                cwd=self._place.folder,
                stdout=log,
                stderr=log,
            )

    async def be_ready(self, path: str) -> None:
        """Wait until the process answers 200 at this path."""
        deadline = self._clock.monotonic() + READY_WITHIN
        async with aiohttp.ClientSession() as session:
            while not await self._answers(session, path):
                if not self.runs or self._clock.monotonic() > deadline:
                    raise OperatorError(f"the server did not start; its last words: {self._place.last_words()}")
                await self._clock.sleep(0.05)

    async def _answers(self, session: aiohttp.ClientSession, path: str) -> bool:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(self.url + path) as answer:
                return answer.status == 200
        return False

    async def kill(self) -> None:
        """`kill -9`, no warning."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)

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


class Servers:
    """Chirp's processes on one database: the desk of bookmarks, which emits, and all others; `apart`: one for each."""

    def __init__(self, place: Place, clock: Clock, *, apart: bool) -> None:
        self.place = place
        self.kills = 0
        self._clock = clock
        readers = [(each,) for each in READERS] if apart else [READERS]
        self._readers = [self._server(*each) for each in readers]
        self._desk = self._server(DESK)
        self.processes = [*self._readers, self._desk]
        self._page: Server | None = None

    def _server(self, *services: str) -> Server:
        chosen = [word for service in services for word in ("--service", service)]
        made = Server(self.place, self._clock, "tidings", "run", *chosen)
        made.release = FIRST
        return made

    @property
    def urls(self) -> Sequence[str]:
        return [process.url for process in self.processes]

    @property
    def desk(self) -> str:
        """The URL of the process in which bookmarks are decided."""
        return self._desk.url

    async def deploy_readers(self, release: int) -> None:
        """End every process but the desk in order, one after the other, and begin it with another release."""
        for process in self._readers:
            await self._deploy(process, release)

    async def end_readers(self) -> None:
        """End every process but the desk in order: what is appended meanwhile waits for them."""
        for process in self._readers:
            await self._end(process)

    async def begin_readers(self, release: int) -> None:
        """Begin those that were ended, with a release."""
        for process in self._readers:
            await self._begin(process, release)

    async def deploy_desk(self, release: int) -> None:
        """The same with the desk."""
        await self._deploy(self._desk, release)

    async def _deploy(self, process: Server, release: int) -> None:
        await self._end(process)
        await self._begin(process, release)

    async def _end(self, process: Server) -> None:
        if await process.stop():
            raise OperatorError(f"the server did not end in order; its last words: {self.place.last_words()}")

    async def _begin(self, process: Server, release: int) -> None:
        process.release = release
        process.begin()
        await process.be_ready("/healthz")

    async def start(self) -> None:
        """Start every process, and wait until each answers.

        After a kill they are ready only when the leases of the killed have run out; events are taken long before.
        """
        for process in self.processes:
            process.begin()
        for process in self.processes:
            await process.be_ready("/healthz")

    async def kill_and_restart(self) -> None:
        """`kill -9` to every process at once, then the same again on the same database."""
        await asyncio.gather(*(process.kill() for process in self.processes))
        self.kills += 1
        await self.start()

    async def open_doors(self) -> dict[str, str]:
        """Start the page's process beside the others; return the addresses of what people can visit."""
        self._page = Server(self.place, self._clock, "uvicorn", "chirp.site:site", "--timeout-graceful-shutdown", "1")
        self._page.begin()
        await self._page.be_ready("/")
        url = self.processes[0].url
        return {"page": f"{self._page.url}/", "console": f"{url}/console", "api": f"{url}/openapi.json"}

    async def stop(self) -> int:
        """End every process in order; return the highest exit code."""
        if self._page is not None:
            await self._page.stop()
        return max(map(abs, await asyncio.gather(*(process.stop() for process in self.processes))))


class Place:
    """The folder of one run: its database, its log, its mailbox, and the environment of what runs in it.

    `till`, `partner`: where they are, from when that is known.
    """

    def __init__(self, folder: Path, ground: Ground | None = None) -> None:
        self.folder = folder
        self.ground = ground or Ground(folder)
        self.log = folder / "server.log"
        self.mailbox = folder / "mailbox.jsonl"
        self.till = ""
        self.partner = ""
        self._till_secret = secret_of(secrets.token_bytes(24))

    @property
    def environment(self) -> dict[str, str]:
        # The demo's server must not be configured by whatever its caller runs tidings with.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        return kept | {
            "TIDINGS_DATABASE_URL": self.ground.url,
            "TIDINGS_APP": "chirp.app:app",
            "CHIRP_MAILBOX": str(self.mailbox),
            "CHIRP_TILL_SECRET": self._till_secret,
            "CHIRP_TILL_URL": self.till,
            "CHIRP_PARTNER_URL": self.partner,
            # Partner is on this machine, and a run is no time to wait for hours.
            "TIDINGS_DELIVERY_SUBNETS": "127.0.0.0/8",
            "TIDINGS_DELIVERY_HTTP": "on",
            "TIDINGS_DELIVERY_DELAYS": "0,0.2,0.5,1,2,2,2,2,2,2",
            "TIDINGS_DELIVERY_TIMEOUT": "1",
            "PYTHONPATH": _path(chirp_folder()),
        }

    def environment_of(self, release: int) -> dict[str, str]:
        """Return the environment of a process that runs this release of Chirp: that folder comes first."""
        if release == NEWEST:
            return self.environment | {"TIDINGS_REVISION": f"r{release}"}
        folder = self.folder / f"release-{release}"
        if not folder.exists():
            shutil.copytree(chirp_folder() / "chirp", folder / "chirp")
            shutil.copytree(chirp_folder() / "chirp" / "releases" / str(release), folder / "chirp", dirs_exist_ok=True)
        return self.environment | {"TIDINGS_REVISION": f"r{release}", "PYTHONPATH": _path(folder)}

    def last_words(self) -> str:
        """Return the last line that the processes logged."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "none"

    async def ask(self, *arguments: str) -> Any:
        """Run a command of the command line on the same database with --json, and return what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tidings", *arguments, "--json"),
            env=self.environment,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, errors = await process.communicate()
        finally:
            if process.returncode is None:  # nobody waits for it any more
                process.kill()
                await process.wait()
        try:
            return json.loads(out)
        except ValueError:
            said = (errors or out).decode("utf-8", "replace").strip()
            raise OperatorError(f"`tidings {' '.join(arguments)}` did not answer: {said}") from None


def free_port() -> int:
    """Return a port that is free now, and that no system gives to a connection that goes out.

    It is used later, and again after each kill: one of those that go out would have it by then, now and then.
    """
    for _ in range(PORT_TRIES):
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as who serves there will
            probe.bind(("127.0.0.1", port))
            return port
    raise OperatorError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")
