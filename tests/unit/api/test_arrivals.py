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
            page = await awaited.look(log, after=start, limit=1)
            assert not page.entries
            wait = asyncio.create_task(awaited.come(page.upto))
            for id, more in enumerate(said, start=1):
                await say(log, f"{id}" if sought.correlation == "6" else f"{id} for {sought}", **more)
            await wait
            [found] = (await awaited.look(log, after=page.upto, limit=1)).entries
        assert [found] == list((await search(log, sought, after=start, limit=1)).entries)


async def test_what_was_appended_between_the_look_and_the_wait_ends_the_wait(log: Log) -> None:
    sought = Sought(where=Filter(subject="a"))
    async with Arrivals(log, SystemClock()).awaiting(sought) as awaited:
        page = await awaited.look(log, after=0, limit=1)
        position = await say(log, "1", subject="a")
        await _shown(log, position)
        await awaited.come(page.upto)


async def test_a_look_sees_what_the_wait_before_it_was_ended_by(log: Log) -> None:
    sought, came = Sought(where=Filter(subject="a")), list[str]()
    async with Arrivals(log, SystemClock()).awaiting(sought) as awaited:
        at = 0
        for n in range(20):
            await say(log, f"{n}", subject="a")
            await awaited.come(at)
            page = await awaited.look(log, after=at, limit=100)
            came += [entry.envelope.id for entry in page.entries]
            at = page.upto
    assert came == [f"{n}" for n in range(20)]


async def test_a_look_that_ended_before_the_head_is_followed_by_the_next_one(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sought lies behind more than one search looks at, and more of it comes before that was looked at."""
    monkeypatch.setattr("tidings.operations.search.LOOKED_AT", 5)
    for n in range(30):
        await say(log, f"{n}", version=2 if n == 17 else 1)
    sought, came, at = Sought(version=2), list[str](), 0
    async with Arrivals(log, SystemClock()).awaiting(sought) as awaited:
        for looks in range(20):
            page = await awaited.look(log, after=at, limit=10)
            came, at = came + [entry.envelope.id for entry in page.entries], page.upto
            if looks == 1:
                await _shown(log, await say(log, "new", version=2))
            if len(came) == 2:
                break
            await awaited.come(at)
    assert came == ["17", "new"]


async def test_a_burst_that_is_longer_than_a_look_is_looked_through(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.operations.search.LOOKED_AT", 5)
    sought, came, at = Sought(version=2), list[str](), 0
    async with Arrivals(log, SystemClock()).awaiting(sought) as awaited:
        at = (await awaited.look(log, after=at, limit=10)).upto
        for n in range(30):
            await say(log, f"{n}", version=2 if n in (2, 20, 29) else 1)
        while len(came) < 3:
            await awaited.come(at)
            page = await awaited.look(log, after=at, limit=10)
            came, at = came + [entry.envelope.id for entry in page.entries], page.upto
    assert came == ["2", "20", "29"]


async def test_who_waits_for_what_does_not_come_moves_on_and_asks_the_log_nothing(log: Log) -> None:
    sought = Sought(where=Filter(subject="a"))
    async with Arrivals(log, SystemClock()).awaiting(sought) as awaited:
        at = (await awaited.look(log, after=0, limit=1)).upto
        position = await say(log, "1", subject="b")
        await _shown(log, position)
        async with asyncio.timeout(10):
            while at < position:
                await asyncio.sleep(0)
                page = await awaited.look(Closed(), after=at, limit=1)  # type: ignore[arg-type]
                at = page.upto
        assert not page.entries


class Closed:
    """A log that must not be asked."""


async def _shown(log: Log, position: int) -> None:
    """Let whoever follows the log come past a position."""
    for _ in range(100):
        await asyncio.sleep(0)
        await log.read(after=position, limit=1)


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
    page = await awaited[7].look(log, after=0, limit=1)
    await say(log, "1", subject="s7")
    await awaited[7].come(page.upto)
    for each in waiting:
        await each.__aexit__(None, None, None)
    assert Counted.shown == 1


async def test_an_error_of_the_log_ends_every_wait(log: Log) -> None:
    arrivals = Arrivals(log, SystemClock())
    async with arrivals.awaiting(Sought()) as first, arrivals.awaiting(Sought(correlation="c")) as second:
        looks = [await each.look(log, after=0, limit=1) for each in (first, second)]
        waits = [asyncio.create_task(each.come(page.upto)) for each, page in zip((first, second), looks, strict=True)]
        await asyncio.sleep(0)
        await log.close()
        for wait in waits:
            with pytest.raises(LogUnavailableError):
                await wait
