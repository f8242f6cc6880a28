"""Consumers of which nothing runs: some are taken as they ran last, and some may be made to read far back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app import bookmarking as at
from tests.unit.app.test_instances import Town, publish
from tidings import App, Context, Service
from tidings.errors import DeclarationError, NotFoundError
from tidings.operations.asking import asked
from tidings.operations.gates import Gatekeeping, forget
from tidings.versions.said import said_of

TYPE = "tweet-bookmarked"
SWITCH = {"producer": "bookmarks", "type": TYPE, "version": 3}


def reports(bookmarked: type, **more: Any) -> App:
    service = Service("reports", **more)

    @service.on(bookmarked)
    async def add(event: Any, ctx: Context) -> None:
        return None

    return App(service)


class Absent:
    """A mixin, for each back end."""

    @pytest.fixture
    async def town(self, url: str) -> AsyncIterator[Town]:
        town = Town(url)
        for version in (at.first(), at.second()):  # so that steps lead from 1 to 3
            await town.deploy("before", at.bookmarks(version), "r0")
            await town.stop("before")
        yield town
        for name in list(town.running):
            await town.stop(name)

    async def test_what_is_asked_of_a_consumer_that_never_was_is_no_question(self, town: Town) -> None:
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.third()), "r77")
        await town.deploy("lists", at.lists(at.third()), "r42")
        assert (await asked(bookmarks.store, "replay", {"consumer": "lists", "after": 0})).answer == "ok"
        with pytest.raises(NotFoundError, match="no consumer 'list'"):
            await asked(bookmarks.store, "replay", {"consumer": "list", "after": 0})
        with pytest.raises(NotFoundError, match="no consumer 'list'"):
            await asked(bookmarks.store, "retire-support", {"consumer": "list", "type": TYPE, "version": 1})

    async def test_who_does_not_run_is_unknown_until_someone_takes_it_as_it_ran_last_which_is_kept(
        self, town: Town
    ) -> None:
        await town.deploy("lists", at.lists(at.third()), "r42")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.third()), "r77", gates="manual")
        await town.beat()
        await town.stop("lists")
        answer = await asked(bookmarks.store, "switch", SWITCH)
        assert (answer.answer, [each.code for each in answer.reasons]) == ("unknown", ["consumer-unseen"])
        assert "--assume-last lists" in answer.reasons[0].told
        answer = await asked(bookmarks.store, "switch", SWITCH, assume=["lists"])
        assert answer.answer == "ok"
        assert answer.reasons[0].text.startswith("lists is taken as it ran last, ")
        [state] = {each["state"] for each in answer.evidence if each.get("consumer") == "lists"}
        assert state == "assumed"
        with pytest.raises(NotFoundError, match="lots"):
            await asked(bookmarks.store, "switch", SWITCH, assume=["lots"])
        await Gatekeeping(bookmarks.store, who="test", reason="at night", assume=["lists"]).open(TYPE, 3)
        assert [each.reason for each in await bookmarks.store.audit()] == ["at night (as lists ran last)"]

    async def test_what_it_ran_last_may_be_too_old_and_counts_no_more_beside_what_runs(self, town: Town) -> None:
        await town.deploy("lists", at.lists(at.first()), "r41")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.third()), "r77", gates="manual")
        await town.beat()
        await town.stop("lists")
        answer = await asked(bookmarks.store, "switch", SWITCH, assume=["lists"])
        assert (answer.answer, answer.reasons[0].code) == ("no", "consumer-does-not-accept")
        await town.deploy("lists", at.lists(at.third()), "r42")
        await town.beat()
        assert (await asked(bookmarks.store, "switch", SWITCH, assume=["lists"])).answer == "ok"

    async def test_who_runs_now_and_then_stands_for_what_its_last_release_accepts(self, town: Town) -> None:
        await town.deploy("reports", reports(at.first(), standing=True), "r1")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.third()), "r77")
        await town.beat()
        await town.stop("reports")
        await town.beat()
        answer = await asked(bookmarks.store, "switch", SWITCH)
        assert (answer.answer, answer.reasons[0].code) == ("no", "consumer-does-not-accept")
        assert (await town.gates())[3] == "closed"
        await town.deploy("reports", reports(at.third(), standing=True), "r2")
        await town.beat()
        await town.stop("reports")
        await town.beat()
        assert (await asked(bookmarks.store, "switch", SWITCH)).answer == "ok"
        assert (await town.gates())[3] == "open"
        await forget(bookmarks.store, "reports", who="test")
        answer = await asked(bookmarks.store, "switch", SWITCH)
        assert [each.code for each in answer.reasons] == ["no-consumers"]

    async def test_what_may_be_read_again_keeps_a_release_that_cannot_read_it_from_coming_back(
        self, town: Town
    ) -> None:
        far = {"replay_horizon": timedelta(days=30)}
        await town.deploy("reports", reports(at.first(), **far), "r1")
        await town.stop("reports")
        third = at.third()
        reading = await town.deploy("reports", reports(at.third(), **far), "r2")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(third), "r77")
        await town.beat()
        assert await publish(bookmarks, third(tweet_id="1", owner={"kind": "user", "id": "jo"})) == 3
        await bookmarks.log.wait(after=0, timeout=timedelta(seconds=5))
        for _ in range(200):
            if all(each.position >= 1 for each in (await reading.store.checkpoints("reports")).values()):
                break
            await reading.ports.clock.sleep(0.05)
        await Gatekeeping(bookmarks.store, who="test").close(TYPE, 3)
        await town.beat()
        back = {"service": "reports", "revision": "r1"}
        answer = await asked(bookmarks.store, "rollback", back)
        assert (answer.answer, [each.code for each in answer.reasons]) == ("no", ["stored"])
        leases = await bookmarks.store.version_leases()
        assert {said_of(each.details).again_after for each in leases if each.consumer == "reports"} == {0}


class TestOnSqlite(Absent):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'town.db'}"


class TestOnPostgres(Absent):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


def test_a_horizon_lies_in_the_past() -> None:
    with pytest.raises(DeclarationError, match="timedelta"):
        Service("reports", replay_horizon=timedelta(0))
