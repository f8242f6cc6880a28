"""One event that is told again in another version, at each of the doors: it has one position, or is a conflict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.acceptance.webhooks import SECRET, STRIPE, signed
from tests.unit.app import bookmarking as at
from tests.unit.app.test_instances import TYPE, Town
from tidings import App
from tidings.app import Opened
from tidings.app.receiving import receivers_of, trying_of
from tidings.consumers.relay import OUTBOX
from tidings.errors import ConflictError
from tidings.operations.emit import Given, emit_event, envelope_of
from tidings.operations.gates import Gatekeeping
from tidings.operations.receiver_trial import Request
from tidings.versions.retelling import HANDED_IN
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive import given

WHEN = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def with_till(bookmarked: type) -> App:
    """Return the application that emits this version, with a receiver that tells of it."""
    app = at.bookmarks(bookmarked)
    till = app.receiver("till", STRIPE, secrets=(SECRET,), source="web")
    till.translate("marked")(lambda item: bookmarked(**item.payload["data"]["object"]))
    return app


def _body(id: str, **said: Any) -> bytes:
    about = {"tweet_id": "1", "user_id": "jo", **said}
    return json.dumps(
        {"id": id, "type": "marked", "created": int(WHEN.timestamp()), "data": {"object": about}}
    ).encode()


def _headers(body: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in signed(body))


async def hook(opened: Opened, id: str, **said: Any) -> str:
    """Have a delivery come to the receiver; return what became of it."""
    body, receiver = _body(id, **said), opened.roster.declared["till"]
    request = given.Given(_headers(body), body, receiver.facts("POST", b""))
    return (await opened.intake.keep(arrival_of(receiver, request, opened.making()))).outcome


async def publish(opened: Opened, event: Any, id: str) -> int:
    return await opened.publish(event, source="web", id=id, time=WHEN)


async def emit(opened: Opened, id: str, version: int, **said: Any) -> int:
    """Emit as the command line does."""
    data = json.dumps({"tweet_id": "1", "user_id": "jo", **said}).encode()
    told = Given(type=TYPE, data=data, source="web", id=id, version=version, time="2023-11-14T22:13:20.000000Z")
    return (await emit_event(opened.log, opened.retelling, envelope_of(opened.catalog, opened.ports, told))).position


async def kept_as(opened: Opened, id: str) -> int:
    entry = await opened.log.find("web", id)
    assert entry is not None
    return entry.envelope.version


async def ids(opened: Opened) -> list[str]:
    """Return the ids of what was told, in log order, without what handlers made of it."""
    entries = (await opened.log.read(after=0, limit=10)).entries
    return [each.envelope.id for each in entries if each.envelope.type == TYPE]


class Telling:
    """A mixin, for each back end: a reader that lacks version 2 keeps its gate shut until it is opened by hand."""

    @pytest.fixture
    async def town(self, url: str) -> AsyncIterator[Town]:
        town = Town(url)
        await town.deploy("lists", at.lists(at.first()), "r41")
        yield town
        for name in list(town.running):
            await town.stop(name)

    async def opens(self, town: Town, opened: Opened) -> None:
        await town.beat()
        assert (await Gatekeeping(opened.store, who="test").open(TYPE, 2)).answer == "ok"
        await town.beat()

    async def test_what_was_brought_down_is_what_was_handed_in_whatever_the_way_down_lost(self, town: Town) -> None:
        second = at.second()
        opened = await town.deploy("bookmarks", at.bookmarks(second), "r76", gates="manual")
        await town.beat()

        async def said(folder: str) -> int:
            return await publish(opened, second(tweet_id="1", user_id="jo", folder=folder), "x")

        first = await said("a")
        assert await kept_as(opened, "x") == 1
        assert await said("a") == first
        with pytest.raises(ConflictError):
            await said("b")
        await self.opens(town, opened)
        assert await said("a") == first
        with pytest.raises(ConflictError):
            await said("b")

    async def test_a_newer_release_tells_again_what_the_older_one_published(self, town: Town) -> None:
        first, second = at.first(), at.second()
        old = await town.deploy("bookmarks", at.bookmarks(first), "r75")
        positions = {id: await publish(old, first(tweet_id="1", user_id="jo"), id) for id in ("published", "emitted")}
        await town.stop("bookmarks")
        new = await town.deploy("bookmarks", at.bookmarks(second), "r76", gates="manual")
        await town.beat()
        for _ in range(2):
            assert await publish(new, second(tweet_id="1", user_id="jo"), "published") == positions["published"]
            with pytest.raises(ConflictError):
                await publish(new, second(tweet_id="1", user_id="jo", folder="mine"), "published")
            await self.opens(town, new)
        assert await emit(new, "emitted", 2, folder="all") == positions["emitted"]
        assert await emit(new, "emitted", 2) == positions["emitted"]
        with pytest.raises(ConflictError):
            await emit(new, "emitted", 2, folder="mine")

    async def test_an_older_release_that_comes_back_tells_again_what_the_newer_one_published(self, town: Town) -> None:
        first, second = at.first(), at.second()
        new = await town.deploy("bookmarks", at.bookmarks(second), "r76", gates="manual")
        await self.opens(town, new)
        plain = await publish(new, second(tweet_id="1", user_id="jo"), "plain")
        await publish(new, second(tweet_id="1", user_id="jo", folder="mine"), "mine")
        assert await kept_as(new, "plain") == 2
        await town.stop("bookmarks")
        old = await town.deploy("bookmarks", at.bookmarks(first), "r75")
        assert await publish(old, first(tweet_id="1", user_id="jo"), "plain") == plain
        with pytest.raises(ConflictError):
            await publish(old, first(tweet_id="1", user_id="jo"), "mine")

    async def test_a_delivery_that_tells_again_what_is_kept_is_no_conflict(self, town: Town) -> None:
        first, second = at.first(), at.second()
        old = await town.deploy("bookmarks", with_till(first), "r75")
        for id in ("same", "other"):
            await publish(old, first(tweet_id="1", user_id="jo"), id)
        await town.stop("bookmarks")
        new = await town.deploy("bookmarks", with_till(second), "r76", gates="manual")
        await self.opens(town, new)
        receiver = new.roster.declared["till"]
        for id, said, outcome in (("same", {}, "stored"), ("other", {"folder": "mine"}, "conflict")):
            body = _body(id, **said)
            request = Request(headers=_headers(body), body=body)
            tried = await trying_of(new).look(receiver, request, at=new.ports.clock.now_us())
            assert tried.outcome == outcome
            assert await hook(new, id, **said) == outcome
        found = [(each.n, each.outcome) for each in await new.store.receipts(receiver="till")]
        assert [outcome for _, outcome in found] == ["conflict", "stored"]
        assert await ids(new) == ["same", "other"]

    async def test_a_receipt_that_failed_becomes_what_was_told_meanwhile(self, town: Town) -> None:
        first, second = at.first(), at.second()
        old = await town.deploy("bookmarks", with_till(first), "r75")
        await publish(old, first(tweet_id="1", user_id="jo"), "late")
        await town.stop("bookmarks")
        app = with_till(second)
        till = app.receivers["till"].translations
        translation = till["stripe.marked"]
        till["stripe.marked"] = lambda item: 1 // 0
        new = await town.deploy("bookmarks", app, "r76", gates="manual")
        await self.opens(town, new)
        assert await hook(new, "late") == "failed"
        till["stripe.marked"] = translation
        [receipt] = await new.store.receipts(receiver="till")
        done = await receivers_of(new).replay("till", receipt.n)
        assert (done.outcome, done.events) == ("stored", ((TYPE, "late"),))
        assert await ids(new) == ["late"]

    async def test_a_receipt_that_failed_becomes_an_event_of_a_version_that_is_open_then(self, town: Town) -> None:
        app = with_till(at.second())
        till = app.receivers["till"].translations
        translation = till["stripe.marked"]
        till["stripe.marked"] = lambda item: 1 // 0
        new = await town.deploy("bookmarks", app, "r76", gates="manual")
        await town.beat()
        assert [await hook(new, id) for id in ("shut", "open")] == ["failed", "failed"]
        assert await new.store.waiting_versions() == []
        till["stripe.marked"] = translation
        opened, shut = [each.n for each in await new.store.receipts(receiver="till")]
        assert (await receivers_of(new).replay("till", shut)).outcome == "stored"
        assert await kept_as(new, "shut") == 1
        await self.opens(town, new)
        assert (await receivers_of(new).replay("till", opened)).outcome == "stored"
        assert await kept_as(new, "open") == 2


class TestOnSqlite(Telling):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'town.db'}"


class TestOnPostgres(Telling):
    @pytest.fixture
    async def theirs(self, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(postgres_url)
        yield connection
        await connection.close()

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    async def test_what_was_staged_and_tells_again_what_is_kept_is_taken_for_the_repeat(
        self, town: Town, theirs: asyncpg.Connection
    ) -> None:
        first, second = at.first(), at.second()
        old = await town.deploy("bookmarks", at.bookmarks(first), "r75")
        for id in ("same", "other"):
            await publish(old, first(tweet_id="1", user_id="jo"), id)
        await town.stop("bookmarks")
        new = await town.deploy("bookmarks", at.bookmarks(second), "r76", gates="manual")
        await self.opens(town, new)
        for id, folder in (("same", "all"), ("other", "mine"), ("new", "mine")):
            event = second(tweet_id="1", user_id="jo", folder=folder)
            await theirs.execute("SELECT tidings.stage($1)", new.staged(event, source="web", id=id, time=WHEN))
        async with asyncio.timeout(20):
            while await ids(new) != ["same", "other", "new"] or not await new.store.parked(OUTBOX):
                await asyncio.sleep(0.05)
        [set_aside] = [each.entry.envelope.id for each in await new.store.dead_letters(OUTBOX, "1", limit=9)]
        assert set_aside == "other"


async def test_what_an_event_was_handed_in_as_is_noted_where_it_was_brought_down(tmp_path: Path) -> None:
    town = Town(f"sqlite:///{tmp_path / 'town.db'}")
    second = at.second()
    await town.deploy("lists", at.lists(at.first()), "r41")
    opened = await town.deploy("bookmarks", at.bookmarks(second), "r76", gates="manual")
    await town.beat()
    await publish(opened, second(tweet_id="1", user_id="jo", folder="a"), "x")
    entry = await opened.log.find("web", "x")
    assert entry is not None
    assert str(entry.envelope.attributes[HANDED_IN]).startswith("2:")
    assert (await Gatekeeping(opened.store, who="test").open(TYPE, 2)).answer == "ok"
    await town.beat()
    await publish(opened, second(tweet_id="1", user_id="jo", folder="a"), "y")
    whole = await opened.log.find("web", "y")
    assert whole is not None
    assert HANDED_IN not in whole.envelope.attributes
    for name in list(town.running):
        await town.stop(name)
