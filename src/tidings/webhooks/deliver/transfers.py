"""libcurl on the event loop: it says which sockets and which moment it waits for, and is told when they are there."""

from __future__ import annotations

import asyncio
import os
import selectors
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pycurl

from tidings.errors import SettingError

CLOSING_S = 1.0
_UNWATCHED = (
    "webhooks cannot be sent by this event loop, which watches no sockets, as those of Windows do not: what is due "
    "waits for a process on Linux or macOS, with asyncio's own loop or uvloop"
)


class Ended(NamedTuple):
    """How a request ended.

    `code`: libcurl's, 0 if all of the answer came. `said`: what it says of it. `errno`: the operating system's, 0 for
    none. `tunnel`: the status with which a proxy answered `CONNECT`, 0 for none.
    """

    code: int
    said: str = ""
    errno: int = 0
    tunnel: int = 0


_ALL = Ended(pycurl.E_OK)
STOPPED = Ended(pycurl.E_ABORTED_BY_CALLBACK)
"""By us: the transfer was given up, or all of them were."""


class Transfers:
    """Requests under way, and connections that are kept for the next ones. For the event loop that is running.

    `idle_s`: after so many seconds without a request, and once libcurl says that it cannot go on, all is closed and
    `is_over`: the next request needs others. SettingError if the loop watches no sockets.
    """

    def __init__(self, *, idle_s: float) -> None:
        self.is_over = False
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[pycurl.Curl, Callable[[Ended], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future[None] | None = None
        self._is_due = False
        self._wanted: set[int] = set()
        self._watched: dict[int, tuple[int, int]] = {}
        # One selector of its own: the loop is told of it once, and what is ready is fetched together.
        self._selector = selectors.DefaultSelector()
        try:
            self._loop.add_reader(self._selector.fileno(), self._look)
        except (RuntimeError, AttributeError):  # Windows: a loop without readers, a selector without a number
            self._selector.close()
            raise SettingError(_UNWATCHED) from None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wait)

    def carry(self, handle: pycurl.Curl, ended: Callable[[Ended], None]) -> None:
        """Have a request made. `ended` is called when it has ended; it must not raise."""
        self._multi.add_handle(handle)
        self._under_way[handle] = ended
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def stop(self, handle: pycurl.Curl) -> None:
        """End a request that is under way."""
        self._end(handle, STOPPED)

    async def close(self) -> None:
        """End what is under way and close every connection; a name that is looked up then is not waited for long."""
        self._end_all()
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=CLOSING_S)

    def _end_all(self) -> None:
        waiting, self._under_way = self._under_way, {}
        for handle in waiting:
            self._multi.remove_handle(handle)
        self._retire()
        for ended in waiting.values():
            ended(STOPPED)

    def _retire(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._loop.remove_reader(self._selector.fileno())
        for timer in (self._timer, self._rest):
            if timer is not None:
                timer.cancel()
        # In a thread, since libcurl waits for names that are still being looked up.
        self._closing = self._loop.run_in_executor(None, self._shut)

    def _shut(self) -> None:
        self._multi.close()
        self._selector.close()

    def _watch(self, what: int, number: int, multi: pycurl.CurlMulti, data: object) -> None:
        """Be told what libcurl waits for on a socket. Its numbers for reading and writing are the selector's.

        A socket stays in the selector while nobody waits for it: to take it out after each request, and in before the
        next one, costs more than to ask whether it is still the same. Closing it takes it out.
        """
        if what == pycurl.POLL_REMOVE:
            self._wanted.discard(number)
            return
        self._wanted.add(number)
        before, now = self._watched.get(number), (what, os.fstat(number).st_ino)
        if before != now:
            if before is not None:
                self._selector.unregister(number)
            self._selector.register(number, what)
            self._watched[number] = now

    def _look(self) -> None:
        ready = [(key.fd, events) for key, events in self._selector.select(0)]
        for number in [number for number, _ in ready if number not in self._wanted]:
            self._selector.unregister(number)  # it has ended, and would be ready for ever
            del self._watched[number]
        self._act(ready)

    def _wait(self, milliseconds: int) -> None:
        """Be told when libcurl wants to go on whatever came. To go on too early does no harm: it says so anew."""
        if self.is_over:
            return
        if milliseconds == 0:
            if not self._is_due:  # once for all that are begun in one turn of the loop
                self._is_due = True
                self._loop.call_soon(self._go_on)
        elif milliseconds > 0:
            at = self._loop.time() + milliseconds / 1_000
            if self._timer is None or at < self._timer.when():
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = self._loop.call_at(at, self._late)

    def _late(self) -> None:
        self._timer = None
        self._go_on()

    def _go_on(self) -> None:
        self._is_due = False
        if not self.is_over:
            self._act([(pycurl.SOCKET_TIMEOUT, 0)])

    def _act(self, events: Iterable[tuple[int, int]]) -> None:
        """Have libcurl go on where something is there, and tell those whose requests have ended with that."""
        running = len(self._under_way)
        try:
            for number, what in events:
                _, running = self._multi.socket_action(number, what)
        except pycurl.error:
            self._end_all()
            return
        left = int(running < len(self._under_way))
        while left:
            left, done, failed = self._multi.info_read()
            for handle in done:
                self._end(handle, _ALL)
            for handle, code, said in failed:
                errno, tunnel = handle.getinfo(pycurl.OS_ERRNO), handle.getinfo(pycurl.HTTP_CONNECTCODE)
                self._end(handle, Ended(code, said, errno, tunnel))

    def _end(self, handle: pycurl.Curl, ended: Ended) -> None:
        self._multi.remove_handle(handle)
        waiting = self._under_way.pop(handle)
        if not self._under_way:
            self._rest = self._loop.call_later(self._idle_s, self._retire)
        waiting(ended)
