from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tidings.backends.sqlite import open_sqlite
from tidings.events.envelope import Envelope
from tidings.events.patterns.grammar import compile_pattern
from tidings.log.driver import Page, Position
from tidings.log.log import Log
from tidings.operations.search import Sought, search
from tidings.ports import Ports


class ReadBefore:
    """A log whose pages are there at once: whoever reads it never waits."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def read(self, *, after: Position, limit: int, where: object) -> Page:
        entries = tuple(each for each in self.page.entries if each.position > after)[:limit]
        return Page(entries, entries[-1].position if entries else after)


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    ports = Ports()
    back_end = open_sqlite(":memory:", ports)
    opened = Log(back_end.log, ports)
    yield opened
    await opened.close()
    await back_end.close()


async def test_others_have_their_turn_between_entries_that_a_pattern_is_asked_of(log: Log) -> None:
    data = b'{"x":"%s"}' % (b"a" * 20_000)
    for id in range(32):
        await log.append((Envelope(id=str(id), source="/test", type="said", data=data),))
    read = await log.read(after=0, limit=32)
    turns, is_done = 0, False

    async def other() -> None:
        nonlocal turns
        while not is_done:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    sought = Sought(pattern=compile_pattern({"data": {"x": [{"prefix": "b"}]}}))
    page = await search(ReadBefore(read), sought, after=0, limit=100)  # type: ignore[arg-type]
    seen, is_done = turns, True
    await waiting
    assert (page.entries, page.upto) == ((), read.upto)
    assert seen >= 5
