"""The limits of the log by the numbers that are promised, whatever the code calls them."""

from __future__ import annotations

from collections import deque

import pytest

from tests.unit.log.scripted import Scripted
from tests.unit.log.writes import event, queued
from tidings.errors import LogBusyError
from tidings.log.driver import Write
from tidings.log.flush import Queued, take
from tidings.log.log import Log
from tidings.log.queue import Queue
from tidings.log.tip import Tip

MIB = 1_048_576


def flushed(*items: Queued) -> list[int]:
    """Return how many writes each flush holds until the queue is empty."""
    queue, found = deque(items), []
    while queue:
        found.append(len(take(queue)[0]))
    return found


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_of_nothing_is_not_read(log: Log, driver: Scripted, limit: int) -> None:
    await log.append((event("1"),))
    for after in (0, 1):  # apart from the newest entries, and among them
        with pytest.raises(ValueError, match=f"limit is {limit}: ask for 1 entry or more"):
            await log.read(after=after, limit=limit)
        assert len((await log.read(after=0, limit=1)).entries) == 1
    assert driver.reads > 0


async def test_a_flush_holds_a_thousand_envelopes_and_no_more() -> None:
    assert flushed(*[queued(str(n)) for n in range(1_000)]) == [1_000]
    assert flushed(*[queued(str(n)) for n in range(1_001)]) == [1_000, 1]
    pairs = [queued(f"{n}-a", f"{n}-b") for n in range(501)]
    assert flushed(*pairs) == [500, 1]


async def test_a_flush_holds_four_mebibytes_and_no_more() -> None:
    assert flushed(queued("a", size=3 * MIB), queued("b", size=MIB)) == [2]
    assert flushed(queued("a", size=3 * MIB), queued("b", size=MIB + 1)) == [1, 1]


async def test_a_write_beyond_what_a_flush_holds_goes_alone() -> None:
    assert flushed(queued("a"), queued("b", size=5 * MIB), queued("c")) == [1, 1, 1]
    assert flushed(queued("a"), queued(*[f"b{n}" for n in range(1_001)]), queued("c")) == [1, 1, 1]


def has_room(queue: Queue, item: Queued) -> bool:
    """Queue the write; say whether there was room, as those are told whose patience is at its end."""
    queue.add(item)
    queue.expire(item.deadline, None)
    return not isinstance(item.receipt.exception(), LogBusyError)


@pytest.mark.parametrize(("count", "is_there_room"), [(49_999, True), (50_000, False)])
async def test_fifty_thousand_writes_are_queued_and_no_more(count: int, is_there_room: bool) -> None:
    queue = Queue()
    for _ in range(count):
        queue.add(queued("a", size=0, deadline=99.0))
    assert has_room(queue, queued("last", size=0, deadline=1.0)) is is_there_room


@pytest.mark.parametrize(("size", "is_there_room"), [(MIB, True), (MIB + 1, False)])
async def test_64_mebibytes_are_queued_and_no_more(size: int, is_there_room: bool) -> None:
    queue = Queue()
    for n in range(63):
        queue.add(queued(str(n), size=MIB, deadline=99.0))
    assert has_room(queue, queued("last", size=size, deadline=1.0)) is is_there_room


async def followed(driver: Scripted, *, writes: int, size: int, data: bytes | None) -> Tip:
    """Return a tip whose reader was at the head from the start, and followed each write as it was appended."""
    tip = Tip(driver)
    await tip.read(after=0, limit=1)
    for write in range(writes):
        envelopes = tuple(event(f"{write}-{n}", data=data) for n in range(size))
        await driver.append([Write(envelopes=envelopes)])
        await tip.read(after=write * size, limit=size + 1)
    driver.reads = 0
    return tip


async def test_the_newest_8192_entries_are_read_without_a_query(driver: Scripted) -> None:
    tip = await followed(driver, writes=10, size=900, data=None)
    page = await tip.read(after=9_000 - 8_192, limit=8_192)
    assert (len(page.entries), driver.reads) == (8_192, 0)
    await tip.read(after=9_000 - 8_193, limit=1)
    assert driver.reads == 1


async def test_of_large_entries_no_more_than_32_mebibytes_are_kept(driver: Scripted) -> None:
    tip = await followed(driver, writes=40, size=1, data=bytes(MIB))
    page = await tip.read(after=40 - 31, limit=31)
    assert (len(page.entries), driver.reads) == (31, 0)
    await tip.read(after=40 - 33, limit=1)
    assert driver.reads == 1
