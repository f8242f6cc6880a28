"""What is handed to a thread comes back, once, whatever becomes of who waits for it."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tidings.backends.sqlite.threads import Lasting, Threads


@asynccontextmanager
async def threads(most: int = 1, future: type[asyncio.Future[object]] = asyncio.Future) -> AsyncIterator[Threads]:
    each = Threads(most, "tested", future)
    try:
        yield each
    finally:
        each.close()


def running() -> int:
    return sum(thread.name == "tested" for thread in threading.enumerate())


async def test_jobs_run_in_their_order_and_tell_what_they_found() -> None:
    ran: list[int] = []

    def job(n: int) -> int:
        ran.append(n)
        return 2 * n

    async with threads() as one:
        found = await asyncio.gather(*(one.run(lambda n=n: job(n)) for n in range(100)))
    assert (ran, found) == (list(range(100)), [2 * n for n in range(100)])


async def test_what_a_job_raises_is_raised_to_whom_it_was_for() -> None:
    def fails() -> None:
        raise ValueError("no")

    async with threads() as one:
        with pytest.raises(ValueError, match="no"):
            await one.run(fails)
        assert await one.run(lambda: 1) == 1


async def test_who_is_cancelled_waits_for_the_end_of_what_lasts() -> None:
    go, ended = threading.Event(), threading.Event()

    def job() -> None:
        go.wait(10)
        ended.set()

    async def waits() -> None:
        await one.run(job)

    async with threads(future=Lasting) as one:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.01)
            assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()


async def test_who_is_cancelled_waits_for_nothing_else() -> None:
    go = threading.Event()
    async with threads() as one:
        task = asyncio.ensure_future(one.run(lambda: go.wait(10)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        assert await one.run(lambda: "the next") == "the next"


async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    """Else those who give up and come back make each other wait."""
    go, ran = threading.Event(), list[int]()
    async with threads() as one:
        first = one.run(lambda: go.wait(10))
        for n in range(100):
            one.run(lambda n=n: ran.append(n)).cancel()
        go.set()
        await first
        assert await one.run(lambda: "the next") == "the next"
    assert ran == []


async def test_a_result_that_nobody_waits_for_any_more_is_no_error() -> None:
    go, errors = threading.Event(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with threads() as one:
        begun = threading.Event()
        waiting = one.run(lambda: begun.set() or go.wait(10))
        await asyncio.to_thread(begun.wait, 10)
        waiting.cancel()
        go.set()
        assert await one.run(lambda: "the next") == "the next"
    assert errors == []


async def test_a_thread_that_could_not_begin_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, failures = threading.Thread.start, ["can't start new thread"]

    def start(thread: threading.Thread) -> None:
        if thread.name == "tested" and failures:
            raise RuntimeError(failures.pop())
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    async with threads() as one:
        with pytest.raises(RuntimeError, match="can't start"):
            one.run(lambda: 1)
        assert await asyncio.wait_for(one.run(lambda: 2), 10) == 2


async def test_what_no_future_takes_is_told_in_another_error() -> None:
    async with threads() as one:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.wait_for(one.run(lambda: next(iter(()))), 10)


async def test_threads_begin_as_they_are_needed() -> None:
    go = threading.Event()
    async with threads(3) as some:
        assert running() == 0
        for _ in range(5):
            await some.run(lambda: None)
        assert running() == 1
        waiting = [some.run(lambda: go.wait(10)) for _ in range(5)]
        assert running() == 3
        go.set()
        await asyncio.gather(*waiting)
    assert running() == 0


async def test_closing_waits_for_what_was_handed_over() -> None:
    ran: list[int] = []
    some = Threads(2, "tested")
    for n in range(50):
        some.run(lambda n=n: ran.append(n))
    some.close()
    some.close()
    assert sorted(ran) == list(range(50))
    assert running() == 0


async def test_a_thread_keeps_nothing_of_a_job_that_has_ended() -> None:
    class Large:
        pass

    async with threads() as one:
        held = [Large()]
        is_there = weakref.ref(held[0])
        assert await one.run(lambda held=held: len(held)) == 1
        await one.run(lambda: None)
        del held
        gc.collect()
        assert is_there() is None


async def test_threads_that_nobody_has_closed_end_with_whoever_had_them() -> None:
    some = Threads(1, "tested")
    await some.run(lambda: None)
    [thread] = [each for each in threading.enumerate() if each.name == "tested"]
    del some
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_a_job_may_outlive_its_loop() -> None:
    go = threading.Event()

    async def hands_over() -> None:
        one.run(lambda: go.wait(10))

    one = Threads(1, "tested")
    asyncio.run(hands_over())
    go.set()
    one.close()

    async def again() -> object:
        one = Threads(1, "tested")
        try:
            return await one.run(lambda: "anew")
        finally:
            one.close()

    assert asyncio.run(again()) == "anew"
