"""A version ends among processes that run: who publishes it is told, on its date it is over, and then refused."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app import bookmarking as at
from tests.unit.app.test_instances import Town, made, publish
from tidings import App, Service
from tidings.cli.times import time_of
from tidings.errors import RefusedError, VersionNotOpenError, VersionSunsetError
from tidings.operations.census import census
from tidings.operations.gates import Gatekeeping
from tidings.operations.planner import answered
from tidings.operations.sunset import sunset_check
from tidings.operations.versions import Workshop
from tidings.store.driver import StoreDriver
from tidings.telemetry import exposition
from tidings.versions.lockfile import NAME
from tidings.versions.sunset import DAY_US

TYPE = "tweet-bookmarked"
PAGE = "https://example.org/v2"


async def now_of(store: StoreDriver) -> int:
    return (await store.tallies(after=2**62)).now


async def ends(store: StoreDriver, version: int, *, ago: int = 0) -> None:
    """Have a version be deprecated, with a date that is over: no clock is waited for."""
    now = await now_of(store)
    await Gatekeeping(store, who="test").deprecate(TYPE, version, sunset=now + DAY_US, migration=PAGE)
    [row] = [each for each in await store.event_versions(TYPE) if each.version == version]
    await store.write_version(replace(row, deprecated=now - 9 * DAY_US, sunset=now - ago))


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == "tidings.versions"]


class Ending:
    """A mixin, for each back end."""

    @pytest.fixture
    async def town(self, url: str) -> AsyncIterator[Town]:
        town = Town(url)
        yield town
        for name in list(town.running):
            await town.stop(name)

    async def test_who_publishes_a_version_that_is_deprecated_is_counted_and_told_once_a_day(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = at.first()
        old = await town.deploy("bookmarks", at.bookmarks(first), "r75")
        await town.deploy("bookmarks new", at.bookmarks(at.second()), "r76")
        await town.beat()
        now = await now_of(old.store)
        answer = await Gatekeeping(old.store, who="test").deprecate(TYPE, 1, sunset=now + 40 * DAY_US, migration=PAGE)
        assert answer.answer == "ok"
        with caplog.at_level(logging.WARNING, "tidings.versions"):
            await town.beat()
            for n in range(3):
                assert await publish(old, first(tweet_id=str(n), user_id="jo")) == 1
        assert warned(caplog) == [f"web publishes {TYPE} version 1, which is deprecated"]
        text = exposition.text(await old.telemetry.series()).decode()
        assert 'tidings_version_deprecated_total{type="tweet-bookmarked",version="1"} 3.0' in text
        assert 'tidings_version_sunset_seconds{type="tweet-bookmarked",version="1"} 3' in text

    async def test_on_its_date_a_version_that_no_service_writes_is_over_and_refused_with_where_to_read_on(
        self, town: Town
    ) -> None:
        await town.deploy("lists", at.lists(at.first()), "r41")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.second()), "r76")
        await town.beat()
        await ends(bookmarks.store, 1)
        await town.beat()
        rows = {each.version: each for each in await bookmarks.store.event_versions(TYPE)}
        assert (rows[1].life, rows[1].gate) == ("sunset", "closed")
        assert ("tidings", "version-ended", f"{TYPE} 1") in [
            (each.who, each.what, each.on) for each in await bookmarks.store.audit()
        ]
        with pytest.raises(VersionSunsetError) as refused:
            bookmarks.keeper.check(made(1))
        assert str(refused.value) == f"{TYPE} version 1 has ended; publish 2 instead: see {PAGE}"
        assert refused.value.accepted == (2,)

    async def test_a_version_that_a_service_writes_goes_on_beyond_its_date_and_the_doctor_says_whose(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = at.first()
        old = await town.deploy("bookmarks", at.bookmarks(first), "r75")
        await town.deploy("lists", at.lists(at.second()), "r42")
        await town.beat()
        assert (await sunset_check(old.store)).problem is None
        await ends(old.store, 1, ago=3 * DAY_US)
        with caplog.at_level(logging.WARNING, "tidings.versions"):
            await town.beat()
        assert {each.life for each in await old.store.event_versions(TYPE) if each.version == 1} == {"deprecated"}
        assert await publish(old, first(tweet_id="1", user_id="jo")) == 1
        found = (await sunset_check(old.store)).problem
        assert found is not None
        assert "and bookmarks still writes it: deploy one that does not" in found
        assert any("was to end" in each for each in caplog.messages)
        await town.stop("bookmarks")
        lists = town.running["lists"][0]
        await town.beat()
        assert {each.life for each in await lists.store.event_versions(TYPE) if each.version == 1} == {"sunset"}

    async def test_strictly_it_is_over_though_a_service_writes_it_which_is_refused(self, town: Town) -> None:
        first = at.first()
        old = await town.deploy("bookmarks", at.bookmarks(first), "r75", strict_sunset="on")
        await town.deploy("lists", at.lists(at.second()), "r42")
        await town.beat()
        await ends(old.store, 1)
        await town.beat()
        with pytest.raises(VersionSunsetError):
            await publish(old, first(tweet_id="1", user_id="jo"))

    async def test_a_date_moves_later_alone_and_what_ended_goes_on_again(self, town: Town) -> None:
        await town.deploy("lists", at.lists(at.first()), "r41")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.second()), "r76")
        await town.beat()
        store = bookmarks.store
        gates, now = Gatekeeping(store, who="test"), await now_of(store)
        with pytest.raises(RefusedError, match="which is over"):
            await gates.deprecate(TYPE, 1, sunset=now - DAY_US, migration="")
        await gates.deprecate(TYPE, 1, sunset=now + 2 * DAY_US, migration=PAGE)
        for earlier in (now + DAY_US, None):
            with pytest.raises(RefusedError, match="never earlier"):
                await gates.deprecate(TYPE, 1, sunset=earlier, migration="")
        await gates.keep(TYPE, 1)
        [row] = [each for each in await store.event_versions(TYPE) if each.version == 1]
        assert (row.life, row.sunset, row.migration) == ("active", None, "")
        await ends(store, 1)
        await town.beat()
        with pytest.raises(RefusedError, match="move its date later first"):
            await gates.keep(TYPE, 1)
        await gates.deprecate(TYPE, 1, sunset=now + 9 * DAY_US, migration="")
        assert (await gates.open(TYPE, 1)).answer == "ok"
        await town.beat()
        bookmarks.keeper.check(made(1))
        [row] = [each for each in await store.event_versions(TYPE) if each.version == 1]
        assert (row.life, row.migration) == ("deprecated", PAGE)

    async def test_what_a_clock_that_was_ahead_has_ended_is_told_and_goes_on_with_its_own_date(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        await town.deploy("lists", at.lists(at.first()), "r41")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.second()), "r76")
        await town.beat()
        store = bookmarks.store
        await ends(store, 1)
        await town.beat()
        assert (await sunset_check(store)).problem is None
        [row] = [each for each in await store.event_versions(TYPE) if each.version == 1]
        assert (row.life, row.gate) == ("sunset", "closed")
        to_come = (await now_of(store)) + DAY_US + 7
        await store.write_version(replace(row, sunset=to_come))  # as after a clock was set back by a day
        with caplog.at_level(logging.WARNING, "tidings.versions"):
            await town.beat()
            await town.beat()
        found = (await sunset_check(store)).problem
        assert found is not None
        assert f"{TYPE} version 1 ended before its date" in found
        assert warned(caplog).count(found) == len(town.running)
        named = re.search(r"`tidings versions deprecate tweet-bookmarked 1 --sunset (\S+)`", found)
        assert named is not None
        gates = Gatekeeping(store, who="test")
        assert (await gates.deprecate(TYPE, 1, sunset=time_of("--sunset", named[1]), migration="")).answer == "ok"
        assert (await gates.open(TYPE, 1)).answer == "ok"
        await town.beat()
        bookmarks.keeper.check(made(1))
        assert (await sunset_check(store)).problem is None

    async def test_a_version_without_a_class_opens_again_where_its_schema_and_steps_are_known(
        self, town: Town, tmp_path: Path
    ) -> None:
        path = tmp_path / NAME
        for cls in (at.first(), at.second(), at.third()):
            Workshop([cls], (), path).lock(day="2026-12-01", publish=True)
        third = at.third()
        bookmarks = await town.deploy("bookmarks", App(Service("bookmarks", emits=[third]), lock=path), "r77")
        await town.beat()
        store = bookmarks.store
        gates = Gatekeeping(store, who="test")
        bookmarks.keeper.check(made(1))
        assert (await gates.close(TYPE, 1)).answer == "ok"
        await town.beat()
        with pytest.raises(VersionNotOpenError):
            bookmarks.keeper.check(made(1))
        again = await gates.open(TYPE, 1)
        assert (again.answer, [each.code for each in again.reasons]) == ("ok", ["no-consumers"])
        await town.beat()
        bookmarks.keeper.check(made(1))
        await ends(store, 1)
        for _ in range(20):  # it is closing until whoever emits the type has said that it knows, by one of these
            await town.beat()
            if (await town.gates())[1] == "closed":
                break
        assert (await town.gates())[1] == "closed"
        await gates.deprecate(TYPE, 1, sunset=await now_of(store) + 9 * DAY_US, migration="")
        assert (await gates.open(TYPE, 1)).answer == "ok"

    async def test_to_warn_is_to_append_what_is_not_open_to_tell_and_to_write_it_down(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        await town.deploy("lists", at.lists(at.first()), "r41")
        third = at.third()
        policies: dict[str, Any] = {"version_policy": "warn", "version_policy_outside": "warn"}
        bookmarks = await town.deploy("bookmarks", at.bookmarks(third), "r77", **policies)
        await town.beat()
        event = third(tweet_id="1", owner={"kind": "user", "id": "jo"})
        with caplog.at_level(logging.WARNING, "tidings.versions"):
            assert await publish(bookmarks, event) == 3
        assert warned(caplog) == [f"web publishes {TYPE} version 3, which is not open; 1 may be"]
        bookmarks.keeper.check(made(3))
        await town.beat()
        [row] = [each for each in await bookmarks.store.event_versions(TYPE) if each.version == 3]
        assert (row.gate, row.forced is not None) == ("closed", True)
        known = await census(bookmarks.store)
        told = answered({"kind": "can_retire", "type": TYPE, "version": 3}, (), known)
        assert [(each.code, each.answer) for each in told.reasons] == [("forced", "ok")]
        notes = [each for each in await bookmarks.store.audit() if each.what == "version-forced"]
        assert [(each.who, each.on) for each in notes] == [("tidings", f"{TYPE} 3")]

    async def test_what_was_to_be_forced_and_might_open_anyway_is_not_called_forced(self, town: Town) -> None:
        lists = await town.deploy("lists", at.lists(at.first()), "r41", gates="manual")
        await town.deploy("bookmarks", at.bookmarks(at.second()), "r76", gates="manual")
        await town.beat()
        gates = Gatekeeping(lists.store, who="a test", forced=True)
        assert (await gates.open(TYPE, 2)).answer == "ok"
        rows = {each.version: each for each in await lists.store.event_versions(TYPE)}
        assert (rows[2].gate, rows[2].forced) == ("open", None)
        await town.deploy("bookmarks", at.bookmarks(at.third()), "r77", gates="manual")
        assert (await gates.open(TYPE, 3)).answer == "no"
        rows = {each.version: each for each in await lists.store.event_versions(TYPE)}
        assert (rows[3].gate, rows[3].forced is not None) == ("open", True)

    async def test_to_refuse_is_to_bring_nothing_down(self, town: Town) -> None:
        await town.deploy("lists", at.lists(at.first()), "r41")
        second = at.second()
        bookmarks = await town.deploy("bookmarks", at.bookmarks(second), "r76", gates="manual", version_policy="refuse")
        await town.beat()
        with pytest.raises(VersionNotOpenError):
            await publish(bookmarks, second(tweet_id="1", user_id="jo", folder="a"))

    async def test_to_warn_opens_nothing_that_has_ended(self, town: Town) -> None:
        await town.deploy("lists", at.lists(at.first()), "r41", version_policy_outside="warn")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.second()), "r76", version_policy_outside="warn")
        await town.beat()
        await ends(bookmarks.store, 1)
        await town.beat()
        with pytest.raises(VersionSunsetError):
            bookmarks.keeper.check(made(1))


class TestOnSqlite(Ending):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'town.db'}"


class TestOnPostgres(Ending):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


def test_a_day_is_its_first_moment() -> None:
    assert time_of("--sunset", "2027-03-01T00:00:00Z") == 1_803_859_200_000_000
