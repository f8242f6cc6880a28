"""Copies that are reconciled, and the versions of the events that they read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app import bookmarking as at
from tests.unit.app.test_instances import Town, publish
from tests.unit.reconciliation.shop import Order, Orders, OrderSeen, Provider, orders_service
from tidings import App, Service
from tidings.errors import DeclarationError, RefusedError
from tidings.events.envelope import Envelope
from tidings.operations.asking import asked
from tidings.operations.census import census
from tidings.operations.lag import lag
from tidings.operations.replay import replay_from_position
from tidings.operations.roster import named, roster
from tidings.settings import Settings
from tidings.testing.clock import StandingClock
from tidings.versions.sunset import writers

TYPE = "tweet-bookmarked"
NAME = "orders.till-orders"
SWITCH = {"producer": "bookmarks", "type": TYPE, "version": 3}


class OfBookmarks(Orders):
    """A list whose items events of bookmarks tell of."""

    def __init__(self, read: list[Any]) -> None:
        super().__init__(Provider(StandingClock()))
        self._read = read

    def read(self, event: Any, envelope: Envelope) -> None:
        self._read.append(event)


def copies(*bookmarked: type, read: list[Any] | None = None, **more: Any) -> App:
    service = Service("orders", **more)
    service.view(key=("order_id",))(Order)
    app = App(service)
    app.reconcile("till-orders", Order, OfBookmarks([] if read is None else read), events=list(bookmarked))
    return app


class Copying:
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

    async def test_no_producer_switches_to_a_version_that_a_copy_cannot_read(self, town: Town) -> None:
        await town.deploy("copies", copies(at.first()), "r1")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.third()), "r77")
        await town.beat()
        answer = await asked(bookmarks.store, "switch", SWITCH)
        [reason] = answer.reasons
        assert (answer.answer, reason.code, reason.members["consumer"]) == ("no", "consumer-does-not-accept", NAME)
        assert (await town.gates())[3] == "closed"
        await town.stop("copies")
        await town.deploy("copies", copies(at.third()), "r2")
        await town.beat()
        assert (await town.gates())[3] == "open"

    async def test_a_copy_that_stopped_is_unknown_unless_its_service_stands(self, town: Town) -> None:
        await town.deploy("copies", copies(at.first()), "r1")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.third()), "r77")
        await town.stop("copies")
        answer = await asked(bookmarks.store, "switch", SWITCH)
        assert (answer.answer, answer.reasons[0].code) == ("unknown", "consumer-unseen")
        await town.deploy("copies", copies(at.first(), standing=True), "r1")
        await town.stop("copies")
        answer = await asked(bookmarks.store, "switch", SWITCH)
        assert (answer.answer, answer.reasons[0].code) == ("no", "consumer-does-not-accept")

    async def test_the_service_of_a_copy_writes_the_version_that_its_repairs_are_of(self, town: Town) -> None:
        await town.deploy("copies", copies(at.first()), "r1")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(at.second()), "r76")
        await town.beat()
        assert (await town.gates())[2] == "open"
        assert writers(await census(bookmarks.store), TYPE, 1) == ("orders",)
        assert (await town.plan(2))[0] == f"ok   {TYPE} 1 -> 2"
        await town.stop("copies")
        await town.deploy("copies", copies(at.first(), at.second()), "r2")
        assert writers(await census(bookmarks.store), TYPE, 1) == ()
        await town.stop("copies")
        first = at.first()
        await town.deploy("copies", copies(first, at.second(), emits=[first]), "r3")
        assert writers(await census(bookmarks.store), TYPE, 1) == ("orders",)

    async def test_support_that_a_copy_still_needs_does_not_retire(self, town: Town) -> None:
        first = at.first()
        await town.deploy("copies", copies(first), "r1")
        bookmarks = await town.deploy("bookmarks", at.bookmarks(first), "r77")
        await town.beat()
        answer = await asked(bookmarks.store, "retire-support", {"consumer": NAME, "type": TYPE, "version": 1})
        assert (answer.answer, [each.code for each in answer.reasons]) == ("no", ["still-produced"])

    async def test_a_release_whose_copy_cannot_read_what_is_produced_is_held(self, town: Town) -> None:
        third, old, new = at.third(), list[Any](), list[Any]()
        bookmarks = await town.deploy("bookmarks", at.bookmarks(third), "r77")
        await town.beat()
        assert await publish(bookmarks, third(tweet_id="1", owner={"kind": "user", "id": "jo"})) == 3
        held = await town.deploy("old", copies(at.first(), read=old), "r1")
        assert f"{NAME} is held: it accepts {TYPE}" in held.instance.held[NAME]
        assert not await held.instance.may_read(NAME)
        await town.deploy("new", copies(at.third(), read=new), "r2")
        async with asyncio.timeout(20):
            while not new:
                await asyncio.sleep(0.05)
        assert ([each.tweet_id for each in new], old) == (["1"], [])


class TestOnSqlite(Copying):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'town.db'}"


class TestOnPostgres(Copying):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


async def test_the_roster_has_a_copy_as_what_the_application_declares(tmp_path: Path) -> None:
    app = copies(at.first())
    url = f"sqlite:///{tmp_path / 'one.db'}"
    async with app.open(Settings(database_url=url), consume=False) as opened:
        for services in (opened.services, tuple(app.services.values())):
            reader = named(await roster(opened.store, services), NAME)
            assert (reader.declared, reader.types) == (True, frozenset([TYPE]))
            assert (reader.is_copy, reader.is_view) == (True, False)
        [told] = await lag(opened.log, opened.store, opened.ports.clock, opened.services)
        assert (told.name, told.declared) == (NAME, True)
        with pytest.raises(RefusedError, match="tidings reconcile run till-orders"):
            await replay_from_position(opened.log, opened.store, opened.services, NAME, 1, who="test")


async def test_a_service_knows_of_no_copy_that_another_application_made_of_it() -> None:
    service = orders_service()
    app = App(service)
    app.reconcile("till-orders", Order, Orders(Provider(StandingClock())), events=[OrderSeen])
    assert not service.copies
    assert list(app.services["orders"].copies) == [NAME]


def test_a_copy_and_what_folds_are_not_called_the_same() -> None:
    service = orders_service()

    @service.view(key=("order_id",))
    class Till:
        order_id: str

    @service.fold(Till, OrderSeen)
    def seen(row: Till | None, event: OrderSeen) -> Till | None:
        return Till(order_id=event.order_id)

    with pytest.raises(DeclarationError, match=r"orders\.till"):
        App(service).reconcile("till", Order, Orders(Provider(StandingClock())), events=[OrderSeen])
