from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tidings.api.arrivals import Arrivals, Awaited
from tidings.backends.sqlite import open_sqlite
from tidings.errors import LogUnavailableError
from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import Filter
from tidings.log.log import Log
from tidings.operations.search import Sought, search
from tidings.ports import Ports, SystemClock


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    ports = Ports()
    back_end = open_sqlite(":memory:", ports)
    opened = Log(back_end.log, ports)
    yield opened
    await opened.close()
    await back_end.close()


async def say(log: Log, id: str, *, subject: str | None = None, type: str = "said", **more: Any) -> int:
    envelope = Envelope(id=id, source="/test", type=type, subject=subject, **more)
    return (await log.append((envelope,))).positions[0]


SEEKERS = [
    Sought(where=Filter(subject="a")),
    Sought(where=Filter(subject="a", types=frozenset({"said", "sung"}))),
    Sought(where=Filter(types=frozenset({"sung"}))),
    Sought(correlation="chain"),
    Sought(correlation="6"),
    Sought(where=Filter(source="/test"), version=2),
    Sought(),
]


async def test_each_is_woken_by_the_first_entry_that_is_sought_and_by_no_other(log: Log) -> None:
    said: list[dict[str, Any]] = [
        {"subject": "b"},
        {"subject": "a", "type": "hummed"},
        {"type": "sung"},
        {"attributes": {"correlationid": "chain"}},
        {"version": 2},
        {"subject": "a"},
    ]
    for sought in SEEKERS:
        start = (await log.head()).position
        async with Arrivals(log, SystemClock()).awaiting(sought) as awaited:
            awaited.look()
            assert not (await search(log, sought, after=start, limit=1)).entries
            wait = asyncio.create_task(awaited.come())
            for id, more in enumerate(said, start=1):
                await say(log, f"{id}" if sought.correlation == "6" else f"{id} for {sought}", **more)
            await wait
        [first] = (await search(log, sought, after=start, limit=1)).entries
        assert awaited.upto == first.position - 1


async def test_what_was_appended_between_the_look_and_the_wait_ends_the_wait(log: Log) -> None:
    arrivals = Arrivals(log, SystemClock())
    async with arrivals.awaiting(Sought(where=Filter(subject="a"))) as awaited:
        awaited.look()
        position = await say(log, "1", subject="a")
        while awaited.upto < position - 1:
            await asyncio.sleep(0)
        await awaited.come()


async def test_a_look_sees_what_the_wait_before_it_was_ended_by(log: Log) -> None:
    arrivals, came = Arrivals(log, SystemClock()), []
    async with arrivals.awaiting(Sought(where=Filter(subject="a"))) as awaited:
        at = 0
        for n in range(20):
            await say(log, f"{n}", subject="a")
            awaited.look()
            page = await log.read(after=at, limit=100, where=Filter(subject="a"))
            came += [entry.envelope.id for entry in page.entries]
            at = page.upto
    assert came == [f"{n}" for n in range(20)]


class Counted(Awaited):
    shown = 0

    def show(self, entry: Entry) -> bool:
        Counted.shown += 1
        return super().show(entry)


async def test_an_entry_is_shown_to_those_only_who_may_want_it(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.api.arrivals.Awaited", Counted)
    arrivals = Arrivals(log, SystemClock())
    waiting = [arrivals.awaiting(Sought(where=Filter(subject=f"s{n}"))) for n in range(100)]
    awaited = [await each.__aenter__() for each in waiting]
    awaited[7].look()
    await say(log, "1", subject="s7")
    await awaited[7].come()
    for each in waiting:
        await each.__aexit__(None, None, None)
    assert Counted.shown == 1


async def test_an_error_of_the_log_ends_every_wait(log: Log) -> None:
    arrivals = Arrivals(log, SystemClock())
    async with arrivals.awaiting(Sought()) as first, arrivals.awaiting(Sought(correlation="c")) as second:
        waits = [asyncio.create_task(each.come()) for each in (first, second)]
        await asyncio.sleep(0)
        await log.close()
        for wait in waits:
            with pytest.raises(LogUnavailableError):
                await wait
