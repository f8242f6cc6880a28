"""Processes that stand still, and clocks that jump: nobody reads or appends on what was true before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app import bookmarking as at
from tidings import App, Settings
from tidings.app import Opened
from tidings.conformance.store_harness import START_US
from tidings.errors import LogUnavailableError
from tidings.operations.asking import asked
from tidings.ports import Ports

TYPE = "tweet-bookmarked"
SWITCH = {"producer": "bookmarks", "type": TYPE, "version": 3}
HOUR = 3_600


class TwoClocks:
    """The clock on the wall, which may be set, and the one that only goes on."""

    def __init__(self) -> None:
        self.wall = self.passed = 0.0

    def now_us(self) -> int:
        return START_US + round(self.wall * 1_000_000)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing runs here beside the test")

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds


class Place:
    """Instances that beat when they are told to, over one database and by one clock."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.clock = TwoClocks()
        self.stack = AsyncExitStack()

    async def deploy(self, app: App, revision: str, **more: Any) -> Opened:
        settings = Settings(database_url=self._url, revision=revision, **more)
        opened = await self.stack.enter_async_context(app.open(settings, ports=Ports(clock=self.clock), consume=False))
        await opened.instance.end()  # what was said while nothing was read here
        await opened.instance.begin(reads=True)
        return opened

    async def gates(self, opened: Opened) -> dict[int, str]:
        return {each.version: each.gate for each in await opened.store.event_versions(TYPE)}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(f"sqlite:///{tmp_path / 'town.db'}")
    for version in (at.first(), at.second()):
        async with at.bookmarks(version).open(Settings(database_url=made._url), consume=False):
            pass
    yield made
    await made.stack.aclose()


async def beat(*all_: Opened) -> None:
    for _ in range(2):
        for each in all_:
            await each.instance.beat()


async def test_a_consumer_that_never_renews_its_lease_counts_no_more_and_reads_nothing_when_it_wakes(
    place: Place,
) -> None:
    frozen = await place.deploy(at.lists(at.first()), "r41")
    running = await place.deploy(at.lists(at.third()), "r42")
    bookmarks = await place.deploy(at.bookmarks(at.third()), "r77")
    await beat(frozen, running, bookmarks)
    assert await frozen.instance.may_read("lists")
    assert (await place.gates(bookmarks))[3] == "closed"
    place.clock.pass_by(31)
    await beat(running, bookmarks)
    assert (await place.gates(bookmarks))[3] == "open"
    assert not await frozen.instance.may_read("lists")
    assert "lists is held: it accepts tweet-bookmarked 1 2, and may meet 3" in frozen.instance.held["lists"]


async def test_a_producer_that_stood_still_appends_nothing_of_a_type_with_versions_until_it_has_asked(
    place: Place,
) -> None:
    third = at.third()
    bookmarks = await place.deploy(at.bookmarks(third), "r77")
    event = third(tweet_id="1", owner={"kind": "user", "id": "jo"})
    await bookmarks.publish(event, source="web", id="a", time=None)
    place.clock.pass_by(26)
    with pytest.raises(LogUnavailableError):
        await bookmarks.publish(event, source="web", id="b", time=None)
    await beat(bookmarks)
    await bookmarks.publish(event, source="web", id="b", time=None)


async def test_a_clock_that_jumps_ahead_lets_nobody_read_what_it_cannot(place: Place) -> None:
    """The leases of all that have not beaten since look lapsed: a gate may open, and who lacks the version is held."""
    old = await place.deploy(at.lists(at.first()), "r41")
    new = await place.deploy(at.lists(at.third()), "r42")
    bookmarks = await place.deploy(at.bookmarks(at.third()), "r77")
    await beat(old, new, bookmarks)
    place.clock.wall += HOUR
    await beat(new, bookmarks)
    assert (await place.gates(bookmarks))[3] == "open"
    await old.instance.beat()
    assert not await old.instance.may_read("lists")
    assert await new.instance.may_read("lists")


async def test_a_clock_that_jumps_ahead_opens_nothing_for_a_consumer_of_which_all_look_lapsed(place: Place) -> None:
    old = await place.deploy(at.lists(at.first()), "r41")
    bookmarks = await place.deploy(at.bookmarks(at.third()), "r77")
    await beat(old, bookmarks)
    place.clock.wall += HOUR
    await bookmarks.instance.beat()
    answer = await asked(bookmarks.store, "switch", SWITCH)
    assert (answer.answer, [each.code for each in answer.reasons]) == ("unknown", ["consumer-unseen"])
    assert (await place.gates(bookmarks))[3] == "closed"


async def test_after_a_clock_was_set_back_who_is_gone_is_seen_no_more_which_opens_nothing(place: Place) -> None:
    place.clock.wall = HOUR
    old = await place.deploy(at.lists(at.first()), "r41")
    bookmarks = await place.deploy(at.bookmarks(at.third()), "r77")
    await beat(old, bookmarks)
    place.clock.wall = 0
    place.clock.pass_by(31)
    await beat(bookmarks)
    answer = await asked(bookmarks.store, "switch", SWITCH)
    assert (answer.answer, [each.code for each in answer.reasons]) == ("unknown", ["consumer-unseen"])
    assert (await place.gates(bookmarks))[3] == "closed"
