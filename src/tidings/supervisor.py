"""Worker processes behind one socket: begun, begun again when they die, ended in order, and with whoever began them.

A worker is told two file descriptors: the socket it takes connections from, which all share, and a link to here. It
says on the link when it answers requests; and when the link ends, it ends, so that none outlives this process, however
that ends.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass

READY = b"ready\n"
AGAIN_SECONDS = 1.0
AGAIN_SECONDS_MOST = 30.0
PRESS_SECONDS = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Changes = AsyncIterator[str]
"""What has changed on disk, in words, each time that the workers have to begin anew."""

WHY_BYTES_MAX = 4_096
Meanwhile = Callable[[str], AbstractAsyncContextManager[None]]
"""What is done, for this reason, while nobody takes connections until something changes."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker ended: whether it ever answered requests, its exit code, and what it said of why."""

    was_ready: bool
    code: int
    why: str

    @property
    def told(self) -> str:
        return f"by signal {-self.code}" if self.code < 0 else f"with exit code {self.code}"


class Supervisor:
    """Keeps so many workers of one command, to which the descriptors are added as `--worker LISTENING,LINK`.

    `environ`: their environment. `say` is told, in a sentence, what becomes of them.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        count: int,
        listening: socket.socket,
        say: Callable[[str], None],
        meanwhile: Meanwhile = lambda _: nullcontext(),
    ) -> None:
        self._command = command
        self._environ = environ
        self._count = count
        self._listening = listening
        self._say = say
        self._meanwhile = meanwhile
        self._processes: set[asyncio.subprocess.Process] = set()
        self._is_stopping = False
        self._woken = asyncio.Event()
        self._code = 0

    async def run(self, on_ready: Callable[[], None], changes: Changes | None = None) -> int:
        """Keep the workers until a signal; return 0, or the exit code of one that did not end well.

        One that cannot even begin ends all, unless there are `changes` to wait for: its fault may be corrected there.
        `on_ready` is called once all answer requests.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._stop)
        try:
            waiting = _Countdown(self._count, on_ready)
            async with asyncio.TaskGroup() as tasks:
                workers = [
                    tasks.create_task(self._keep(n, waiting, begins_anew=changes is not None))
                    for n in range(1, self._count + 1)
                ]
                watching = None if changes is None else tasks.create_task(self._follow(changes))
                await asyncio.wait(workers)
                if watching is not None:
                    watching.cancel()
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        return self._code

    def _stop(self) -> None:
        self._is_stopping = True
        self._woken.set()
        self._end_all()

    def _end_all(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.terminate()

    async def _keep(self, n: int, waiting: _Countdown, *, begins_anew: bool) -> None:
        failures = 0
        while not self._is_stopping:
            self._woken.clear()  # what changes from here on, this worker may not have seen
            ended = await self._one(waiting)
            was_ready, code = ended.was_ready, ended.code
            if self._is_stopping:
                has_begun = was_ready or code != -signal.SIGTERM  # else it knew nothing of signals yet
                self._code = self._code or (code if has_begun else 0)
            elif code in (0, -signal.SIGTERM) and begins_anew:  # a change may end it before it knows of signals
                continue
            elif not (was_ready or waiting.is_over or begins_anew):
                self._code = code or 1
                self._stop()
            else:
                failures = 1 if was_ready else failures + 1
                then = "once something changes" if begins_anew else "soon"
                self._say(f"worker {n} ended {ended.told}; it is begun again {then}")
                if begins_anew:
                    async with self._meanwhile(ended.why or f"the application ended {ended.told}: its output says why"):
                        await self._woken.wait()
                else:
                    await self._rest(min(AGAIN_SECONDS * 2 ** (failures - 1), AGAIN_SECONDS_MOST))

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _one(self, waiting: _Countdown) -> Ended:
        """Run one worker to its end."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                descriptors = (self._listening.fileno(), theirs.fileno())
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    "--worker",
                    f"{descriptors[0]},{descriptors[1]}",
                    env=self._environ,
                    pass_fds=descriptors,
                    start_new_session=True,  # Ctrl-C comes here alone, and is passed on once
                )
            self._processes.add(process)
            if self._is_stopping:  # the signal came while it was begun
                process.terminate()
            said = await _said(ours)
            if said == READY:
                waiting.count()
            code = await process.wait()
            self._processes.discard(process)
        return Ended(said == READY, code, "" if said == READY else said.decode("utf-8", "replace"))

    async def _follow(self, changes: Changes) -> None:
        async for change in changes:
            self._say(f"{change}: begun again")
            self._woken.set()
            ending = list(self._processes)
            self._end_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(PRESS_SECONDS):
                    await asyncio.gather(*(process.wait() for process in ending))
            for process in ending:
                if process.returncode is None:
                    process.terminate()


class _Countdown:
    """Calls back once it was counted down."""

    def __init__(self, left: int, call: Callable[[], None]) -> None:
        self._left = left
        self._call = call

    @property
    def is_over(self) -> bool:
        return self._left == 0

    def count(self) -> None:
        if self._left:
            self._left -= 1
            if self._left == 0:
                self._call()


async def _said(link: socket.socket) -> bytes:
    """Return what the worker says first: that it is ready, or why it cannot begin; nothing if it let go of its end."""
    link.setblocking(False)
    return await asyncio.get_running_loop().sock_recv(link, WHY_BYTES_MAX)


class Link:
    """A worker's end of the link: it tells when it is ready, and is told when nobody is there any more."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)

    def ready(self) -> None:
        with suppress(OSError):  # nobody is there any more: that is told, too
            self._socket.send(READY)

    def failed(self, why: str) -> None:
        """Say why this worker cannot begin."""
        with suppress(OSError):
            self._socket.send(why.encode()[:WHY_BYTES_MAX])

    def when_alone(self, call: Callable[[], None]) -> None:
        """Call back once whoever began this worker has ended."""
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(self._socket)
            call()

        loop.add_reader(self._socket, ended)
