"""Bounds of the queue, and the end of everyone's patience."""

from __future__ import annotations

import pytest

from tests.unit.log.test_flush import ids
from tests.unit.log.writes import queued
from tidings.errors import LogBusyError, LogUnavailableError
from tidings.log.queue import BYTES, WRITES, Queue


def filled(*sizes: int) -> Queue:
    queue = Queue()
    for n, size in enumerate(sizes):
        queue.add(queued(str(n), size=size))
    return queue


def taken_from(queue: Queue) -> list[str]:
    flush = queue.take()
    return [] if flush is None else ids(flush.items)


async def test_sizes_are_those_of_what_is_queued() -> None:
    queue = filled(5, 7)
    assert queue.size == 12
    queue.take()
    assert queue.size == 0
    queue.add(queued("x", size=3))
    assert queue.size == 3


async def test_a_cancelled_write_gives_its_room_back() -> None:
    queue = Queue()
    item = queued("a", size=5)
    queue.add(item)
    item.receipt.cancel()
    assert queue.take() is None
    assert queue.size == 0
    assert queue.is_idle


async def test_a_write_that_finds_no_room_waits_for_it() -> None:
    queue = filled(BYTES - 1, 1, 1)
    assert queue.size == BYTES
    assert taken_from(queue) == ["0"]
    assert queue.size == 2
    assert taken_from(queue) == ["1", "2"]


async def test_a_write_larger_than_the_queue_is_let_in_alone() -> None:
    queue = filled(BYTES * 2, 1)
    assert taken_from(queue) == ["0"]
    assert taken_from(queue) == ["1"]


async def test_the_number_of_writes_is_bounded() -> None:
    queue = filled(*[0] * WRITES)
    late = queued("late", deadline=0.0)
    queue.add(late)
    queue.expire(1.0, None)
    with pytest.raises(LogBusyError):
        late.receipt.result()


async def test_nobody_overtakes_who_waits_for_room() -> None:
    queue = filled(BYTES, BYTES, 1)
    assert [taken_from(queue), taken_from(queue), taken_from(queue)] == [["0"], ["1"], ["2"]]


async def test_who_waits_for_room_too_long_is_told_that_nothing_was_kept() -> None:
    queue = filled(BYTES)
    late = queued("late", size=1, deadline=5.0)
    queue.add(late)
    queue.expire(4.9, None)
    assert not late.is_answered
    queue.expire(5.0, None)
    with pytest.raises(LogBusyError, match="nothing was kept"):
        late.receipt.result()
    queue.take()
    assert queue.take() is None


async def test_who_waits_for_the_log_too_long_is_told_the_reason() -> None:
    queue = Queue()
    taken, waiting = queued("a", deadline=5.0), queued("b", deadline=5.0)
    queue.add(taken)
    queue.take()
    queue.add(waiting)
    queue.expire(5.0, LogUnavailableError("the disk is full"))
    for item in (taken, waiting):
        with pytest.raises(LogUnavailableError, match="the disk is full") as caught:
            item.receipt.result()
        assert not isinstance(caught.value, LogBusyError)


async def test_a_queue_is_idle_when_every_flush_was_answered() -> None:
    queue = filled(1)
    flush = queue.take()
    assert queue.is_empty
    assert not queue.is_idle
    assert flush is not None
    queue.settle(flush)
    assert queue.is_idle
