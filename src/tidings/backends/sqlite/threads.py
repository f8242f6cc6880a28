"""Handing jobs from an event loop to threads, and their results back."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
Ended = Callable[["asyncio.Future[Any]", Any, BaseException | None], None]
Handed = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any], Ended]


class Lasting(asyncio.Future[T]):
    """Lasts until its job has ended: who is cancelled while waiting for it is so then, and nobody meets the job
    half-way."""

    def cancel(self, msg: Any = None) -> bool:
        return False


class Threads:
    """Up to so many threads, which begin as they are needed, and take jobs first come, first served.

    A job handed over by `concurrent.futures` passes through two futures, two locks and a condition, and costs 70 µs of
    processor time where it costs 20 this way: most of what a short query takes. `future`: what is waited for.
    """

    def __init__(self, most: int, name: str, future: type[asyncio.Future[Any]] = asyncio.Future) -> None:
        self._most = most
        self._name = name
        self._future = future
        self._handed: SimpleQueue[Handed | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._open = 0
        self._let_go = weakref.finalize(self, _let_go, self._handed, self._threads)

    def run(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Return what has the job's result, or what it raised, once it has ended."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = self._future(loop=loop)
        if self._open >= len(self._threads) < self._most:
            self._begin()
        self._open += 1
        self._handed.put((loop, future, job, self._ended))
        return future

    def close(self) -> None:
        """Wait until all jobs have ended, and the threads with them."""
        self._let_go()
        for thread in self._threads:
            thread.join()

    def _begin(self) -> None:
        # As a daemon, since one that nobody has closed would keep the process from its end.
        thread = Thread(target=_work, args=(self._handed,), name=self._name, daemon=True)
        thread.start()  # first: one that could not begin is none
        self._threads.append(thread)

    def _ended(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._open -= 1
        if future.done():  # cancelled: nobody waits for it any more
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration):  # which no future takes
            future.set_exception(RuntimeError(f"a job raised {error!r}"))
        else:
            future.set_exception(error)


def _let_go(handed: SimpleQueue[Handed | None], threads: list[Thread]) -> None:
    for _ in threads:
        handed.put(None)


def _work(handed: SimpleQueue[Handed | None]) -> None:
    while (each := handed.get()) is not None:
        _do(*each)
        del each  # and with it what the job holds, before the next one is waited for


def _do(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], job: Callable[[], Any], ended: Ended) -> None:
    if future.cancelled():  # nobody waits for it any more, and others do
        _tell(loop, ended, future, None, None)
        return
    try:
        result = job()
    except BaseException as error:
        _tell(loop, ended, future, None, error)
    else:
        _tell(loop, ended, future, result, None)


def _tell(loop: asyncio.AbstractEventLoop, ended: Ended, *told: Any) -> None:
    with suppress(RuntimeError):  # the loop is closed, and whoever waited is gone with it
        loop.call_soon_threadsafe(ended, *told)
