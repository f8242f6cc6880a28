"""Several releases of several services over one database: who is admitted, what is open, what is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app import bookmarking as at
from tidings import App, Settings
from tidings.app import Opened
from tidings.cli.plan_lines import plan_lines
from tidings.errors import ConflictError, VersionNotOpenError
from tidings.events.envelope import Envelope
from tidings.operations.asking import asked
from tidings.operations.census import census
from tidings.operations.gates import Gatekeeping
from tidings.operations.planner import planned
from tidings.versions.reasons.names import name_of

TYPE = "tweet-bookmarked"
SHOWN = "   as of "


class Town:
    """The instances that run, by name."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.running: dict[str, tuple[Opened, AsyncExitStack]] = {}

    async def deploy(self, name: str, app: App, revision: str, *, gates: Any = "auto", **more: Any) -> Opened:
        stack = AsyncExitStack()
        settings = Settings(database_url=self._url, revision=revision, gates=gates, **more)
        opened = await stack.enter_async_context(app.open(settings))
        self.running[name] = opened, stack
        return opened

    async def stop(self, name: str) -> None:
        await self.running.pop(name)[1].aclose()

    async def beat(self) -> None:
        for _ in range(2):
            for opened, _ in list(self.running.values()):
                await opened.instance.beat()

    async def gates(self) -> dict[int, str]:
        opened, _ = next(iter(self.running.values()))
        return {each.version: each.gate for each in await opened.store.event_versions(TYPE)}

    async def plan(self, to: int) -> list[str]:
        opened, _ = next(iter(self.running.values()))
        known = await census(opened.store)
        lines = list(plan_lines(planned(known, TYPE, to, opens_itself=True), known.as_of))
        return [line.partition(SHOWN)[0].rstrip() for line in lines]


async def first_town(town: Town) -> None:
    for name in ("users 1", "users 2"):
        await town.deploy(name, at.users(at.first()), "r117")
    for name in ("lists 1", "lists 2"):
        await town.deploy(name, at.lists(at.first()), "r41")


async def publish(opened: Opened, event: Any, id: str | None = None) -> int:
    """Publish, and return the version that was kept."""
    position = await opened.publish(event, source="web", id=id, time=None)
    [entry] = await opened.log.driver.at([position])
    return entry.envelope.version


def made(version: int) -> Envelope:
    return Envelope(id="1", source="/s", type=TYPE, version=version)


def reasons_name(town: Town, name: str) -> str:
    opened, _ = town.running[name]
    return name_of(opened.instance._saying.accepting("lists")[0])


class Living:
    """A mixin, for each back end."""

    @pytest.fixture
    async def town(self, url: str) -> AsyncIterator[Town]:
        made = Town(url)
        yield made
        for name in list(made.running):
            await made.stop(name)

    async def test_a_version_that_the_schemas_allow_needs_no_deploy_of_readers(self, town: Town) -> None:
        await first_town(town)
        second = at.second()
        for name in ("bookmarks 1", "bookmarks 2"):
            await town.deploy(name, at.bookmarks(second), "r76", gates="manual")
        await town.beat()
        opened = town.running["bookmarks 1"][0]
        assert await town.plan(2) == [
            "ok   tweet-bookmarked 1 -> 2",
            "  1 users      r117 x2   accepts 1 2 (2 tolerated)   nothing to deploy",
            "  2 lists      r41  x2   accepts 1 2 (2 tolerated)   nothing to deploy",
            "  3 bookmarks  r76  x2   emits 2, writes 1           gate 2 may open",
        ]
        assert await publish(opened, second(tweet_id="1", user_id="jo", folder="a")) == 1
        answer = await Gatekeeping(opened.store, who="test").open(TYPE, 2)
        assert answer.answer == "ok"
        await town.beat()
        assert await publish(opened, second(tweet_id="2", user_id="jo", folder="a")) == 2

    async def test_each_release_beside_the_other_counts_on_its_own(self, town: Town) -> None:
        await first_town(town)
        await town.deploy("bookmarks 1", at.bookmarks(at.second()), "r76")
        await town.beat()
        assert await town.gates() == {1: "open", 2: "open"}
        for name in ("users 1", "users 2", "lists 2", "bookmarks 1"):
            await town.stop(name)
        third = at.third()
        for name in ("users 1", "users 2"):
            await town.deploy(name, at.users(at.third()), "r118")
        await town.deploy("lists 2", at.lists(at.third()), "r42")
        bookmarks = await town.deploy("bookmarks 1", at.bookmarks(third), "r77")
        await town.deploy("bookmarks 2", at.bookmarks(at.third()), "r77")
        await town.beat()
        lists = reasons_name(town, "lists 1")
        assert await town.plan(3) == [
            "no   tweet-bookmarked 2 -> 3",
            "  1 users      r118 x2   accepts 1 2 3               done",
            "  2 lists      r41  x1   accepts 1 2                 waits",
            "               r42  x1   accepts 1 2 3",
            "  3 bookmarks  r77  x2   emits 3, writes 2           waits for lists",
            f"  why   consumer-does-not-accept  lists {lists} (r41) accepts 1 2, needs 3",
            "  next  finish the deploy of lists r42; the gate then opens by itself",
        ]
        event = third(tweet_id="1", owner={"kind": "user", "id": "jo"})
        assert await publish(bookmarks, event) == 2
        await town.stop("lists 1")
        await town.beat()
        assert (await town.gates())[3] == "open"
        assert await publish(bookmarks, third(tweet_id="2", owner={"kind": "user", "id": "jo"})) == 3

    async def test_a_release_that_cannot_read_what_is_produced_is_held_and_reads_nothing(self, town: Town) -> None:
        await town.deploy("users", at.users(at.third()), "r118")
        third = at.third()
        bookmarks = await town.deploy("bookmarks", at.bookmarks(third), "r77")
        await town.beat()
        await publish(bookmarks, third(tweet_id="1", owner={"kind": "user", "id": "jo"}))
        seen: list[Any] = []
        old = await town.deploy("lists", at.lists(at.first(), seen=seen), "r41")
        await town.beat()
        assert "lists is held: it accepts tweet-bookmarked" in old.instance.held["lists"]
        assert not await old.instance.may_read("lists")
        assert "lists" in old.crew.failing
        assert seen == []

    async def test_a_gate_closes_once_all_who_emit_know_and_then_a_release_may_go_back(self, town: Town) -> None:
        await town.deploy("lists old", at.lists(at.first()), "r41")
        await town.deploy("bookmarks old", at.bookmarks(at.second()), "r76")
        await town.beat()
        await town.stop("lists old")
        await town.stop("bookmarks old")
        third = at.third()
        lists = await town.deploy("lists", at.lists(at.third()), "r42")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(third), "r77")
        await town.beat()
        assert await town.gates() == {1: "open", 2: "open", 3: "open"}
        may = await asked(lists.store, "rollback", {"service": "lists", "revision": "r41"})
        assert [each.code for each in may.reasons] == ["still-produced"]
        assert may.reasons[0].text == "tweet-bookmarked 3 is open, r41 accepts 1 2"
        await Gatekeeping(bookmarks.store, who="test").close(TYPE, 3)
        assert (await town.gates())[3] == "closing"
        with bookmarks.keeper.passing():
            await bookmarks.instance.beat()
            await lists.instance.beat()
            assert (await town.gates())[3] == "closing"
        await town.beat()
        assert (await town.gates())[3] == "closed"
        assert await publish(bookmarks, third(tweet_id="1", owner={"kind": "user", "id": "jo"})) == 2
        await town.beat()
        may = await asked(lists.store, "rollback", {"service": "lists", "revision": "r41"})
        assert may.answer == "ok", may.reasons

    async def test_one_event_has_one_position_before_and_after_its_gate_opens_and_closes(self, town: Town) -> None:
        second = at.second()
        await town.deploy("lists", at.lists(at.first()), "r41")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(second), "r76", gates="manual")
        await town.beat()
        gates = Gatekeeping(bookmarks.store, who="test")

        async def said(id: str, folder: str = "a") -> int:
            event = second(tweet_id="1", user_id="jo", folder=folder)
            return await bookmarks.publish(event, source="web", id=id, time=None)

        before = await said("closed first")
        assert (await gates.open(TYPE, 2)).answer == "ok"
        await town.beat()
        assert await said("closed first") == before
        after = await said("open first")
        assert after > before
        assert (await gates.close(TYPE, 2)).answer == "ok"
        await town.beat()
        assert await said("open first") == after
        with pytest.raises(ConflictError):
            await said("open first", folder="b")

    async def test_a_gate_stays_shut_while_a_pattern_that_reads_data_is_bound_to_no_version(self, town: Town) -> None:
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.third()), "r77")
        pattern = {"type": [TYPE], "data": {"user_id": ["jo"]}}
        wanted = {"url": "https://partner.example/", "pattern": pattern, "pin": {}}
        await bookmarks.endpoints.add(wanted, id="partner")
        await town.deploy("lists", at.lists(at.third()), "r42")
        switch = {"producer": "bookmarks", "type": TYPE, "version": 3}
        answer = await asked(bookmarks.store, "switch", switch)
        assert (answer.answer, [each.code for each in answer.reasons]) == ("no", ["pattern-version"])
        await bookmarks.endpoints.change("partner", {"pin": {TYPE: 3}})
        assert (await asked(bookmarks.store, "switch", switch)).answer == "ok"

    async def test_what_is_refused_from_outside_names_what_is_open(self, town: Town) -> None:
        await town.deploy("lists", at.lists(at.first()), "r41")
        third = at.third()
        bookmarks = await town.deploy("bookmarks", at.bookmarks(third), "r77")
        await town.beat()
        with pytest.raises(VersionNotOpenError) as refused:
            bookmarks.keeper.check(made(3))
        assert refused.value.accepted == (1,)


class TestOnSqlite(Living):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'town.db'}"


class TestOnPostgres(Living):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
