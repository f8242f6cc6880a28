from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app.bookmarking import extended
from tests.unit.versions.bookmarks import ONE, THREE, TWO, TYPE, first, owner_from_user, said, second, third
from tests.unit.webhooks.deliver.desk import Desk, Sink, always, desk, eventually, sink
from tidings import App, Service
from tidings.operations import deliveries as operating
from tidings.operations.endpoint_again import Wanted
from tidings.store.endpoint_deliveries import Range

BASE = "https://example.com/schemas"


@pytest.fixture
async def to() -> AsyncIterator[Sink]:
    async with sink() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that outlives a program."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kept.db"
    return str(request.getfixturevalue("postgres_url"))


def release(*classes: Any) -> App:
    """A program that declares these, and has the steps that they bring along."""
    return App(Service("lists", emits=classes))


async def publish(at: Desk, version: int, data: bytes, *, id: str = "e1", **attributes: Any) -> None:
    envelope = said(version, data, id=id)
    await at.opened.log.append([type(envelope)(**{**_members(envelope), "attributes": attributes})])


def _members(envelope: Any) -> dict[str, Any]:
    return {name: getattr(envelope, name) for name in ("id", "source", "type", "version", "subject", "data")}


def told(to: Sink) -> list[dict[str, Any]]:
    return [json.loads(got.body) for got in to.got]


async def test_an_endpoint_is_told_each_event_in_its_version(url: str, to: Sink) -> None:
    async with desk(url, app=release(third())) as at:
        await at.add(to.url(), pin={TYPE: 2}, ordering="fifo")
        json_ = {"datacontenttype": "application/json"}
        await publish(at, 3, THREE, id="3", dataschema=f"{BASE}/{TYPE}/3", **json_)
        await publish(at, 1, ONE, id="1", dataschema="https://example.com/of-its-own", **json_)
        await publish(at, 2, TWO, id="2", dataschema=f"{BASE}/{TYPE}/2", **json_)
        await at.until(*["delivered"] * 3)
    three, one, two = told(to)
    assert [each["dataversion"] for each in (three, one, two)] == [2, 2, 2]
    assert three["data"] == {"tweet_id": "20", "user_id": "jack", "folder": "later"}
    assert one["data"] == {"tweet_id": "20", "user_id": "jack", "folder": "all"}
    assert [each.get("dataschema") for each in (three, one, two)] == [f"{BASE}/{TYPE}/2", None, f"{BASE}/{TYPE}/2"]


async def test_one_without_a_pin_is_told_events_as_they_were_published(url: str, to: Sink) -> None:
    async with desk(url, app=release(third(), extended())) as at:
        await at.add(to.url(), pin={"list-extended": 1})
        await publish(at, 3, THREE, datacontenttype="application/json")
        await at.until("delivered")
    [got] = told(to)
    assert (got["dataversion"], got["data"]) == (3, json.loads(THREE))


async def test_what_is_still_to_be_sent_without_a_pin_is_counted_as_it_was_published(url: str, to: Sink) -> None:
    to.answer = always(503)
    async with desk(url, app=release(third())) as at:
        await at.add(to.url(), pin={})
        await publish(at, 1, ONE)
        await eventually(lambda: _has(to, 1))
        waiting = await at.opened.store.waiting_versions()
        assert [(each.place, each.of, each.type, each.version, each.entries) for each in waiting] == [
            ("delivery", "e", TYPE, 1, 1)
        ]


async def test_retries_and_replays_are_told_in_the_same_version_as_first_tries(url: str, to: Sink) -> None:
    to.answer = always(500)
    async with desk(url, app=release(third()), delivery_delays="0,0") as at:
        await at.add(to.url(), pin={TYPE: 1})
        await publish(at, 3, THREE, datacontenttype="application/json")
        [row] = await at.until("dead", type=TYPE)
        await operating.retry(at.store, row["key"], at.opened.ports.clock, who="cli")
        await eventually(lambda: _has(to, 4))
        await at.until("dead", type=TYPE)
        await at.endpoints.recover("e", Range(after=0, to=99))
        await eventually(lambda: _has(to, 6))
        await at.until("dead", type=TYPE)
        to.answer = always(200)
        await at.endpoints.replay("e", Wanted(within=Range(after=0, to=99)))
        await at.until("dead", "delivered", type=TYPE)
    assert [each["data"] for each in told(to)] == [{"tweet_id": "20", "user_id": "jack"}] * 7
    assert {got.id for got in to.got} == {to.got[0].id}


async def _has(to: Sink, count: int) -> bool:
    return len(to.got) >= count


async def test_an_event_whose_step_fails_is_dead_at_once_and_goes_once_that_is_corrected(url: str, to: Sink) -> None:
    def broken(data: dict[str, Any]) -> dict[str, Any]:
        raise KeyError("user_id")

    async with desk(url, app=release(third(up=broken))) as at:
        await at.add(to.url(), pin={TYPE: 3})
        await publish(at, 2, TWO)
        [row] = await at.until("dead")
        assert (row["reason"], row["attempts"]) == ("transform-error", 1)
        assert "correct" in row["error"]
        assert [each.outcome for each in await at.store.attempts(row["key"])] == ["transform-error"]
        assert await at.fares() == "active"
    async with desk(url, app=release(third(up=owner_from_user))) as at:
        await operating.retry(at.store, row["key"], at.opened.ports.clock, who="cli")
        await at.until("delivered")
    assert [each["dataversion"] for each in told(to)] == [3]


async def test_what_a_step_makes_is_checked_against_the_version_it_leads_to(url: str, to: Sink) -> None:
    def wrong(data: dict[str, Any]) -> dict[str, Any]:
        return {"tweet_id": 20, "owner": data["user_id"]}

    async with desk(url, app=release(third(up=wrong))) as at:
        await at.add(to.url(), pin={TYPE: 3})
        await publish(at, 2, TWO)
        [row] = await at.until("dead")
    assert row["reason"] == "transform-error"
    assert to.got == []


async def test_an_event_without_a_step_here_is_held_until_a_release_has_it(url: str, to: Sink) -> None:
    async with desk(url, app=release(third(steps=False))) as at:
        await at.add(to.url(), pin={TYPE: 1}, ordering="key")
        await publish(at, 3, THREE, id="first")
        await publish(at, 1, ONE, id="second")
        rows = await at.until("held", "behind")
        assert [(each["reason"], each["attempts"]) for each in rows] == [("version-unreadable", 0), (None, 0)]
        assert list(await at.store.attempts(rows[0]["key"])) == []
        await at.endpoints.pause("e")
        await at.endpoints.resume("e")
        assert await at.states() == ["held", "behind"]
    async with desk(url, app=release(second())) as at:  # has no step either, and leaves it to others
        await publish(at, 1, ONE, id="third")
        await at.until("held", "behind", "behind")
    assert to.got == []
    async with desk(url, app=release(third())) as at:
        await at.until(*["delivered"] * 3)
    assert [each["id"] for each in told(to)] == ["first", "second", "third"]
    assert {got.attempt for got in to.got} == {1}


async def test_a_batch_goes_without_those_that_cannot_be_told(url: str, to: Sink) -> None:
    def none_for_jack(data: dict[str, Any]) -> dict[str, Any]:
        if data["owner"]["id"] == "jack":
            raise ValueError
        return {"tweet_id": data["tweet_id"], "user_id": data["owner"]["id"], "folder": "all"}

    async with desk(url, app=release(third(down=none_for_jack))) as at:
        await at.add(to.url(), pin={TYPE: 2}, batch={"size": 3, "linger_ms": 200})
        await publish(at, 3, THREE, id="jack")
        await publish(at, 3, THREE.replace(b"jack", b"jill"), id="jill")
        await publish(at, 4, THREE, id="unknown")
        rows = await at.until("dead", "delivered", "held")
    assert [each["reason"] for each in rows] == ["transform-error", None, "version-unreadable"]
    [got] = told(to)
    assert [each["id"] for each in got] == ["jill"]


async def test_an_endpoint_that_is_pinned_to_a_class_of_its_own_is_told_that(url: str, to: Sink) -> None:
    async with desk(url, app=release(first(), second())) as at:
        await at.add(to.url(), pin={TYPE: 1})
        await publish(at, 2, TWO, datacontenttype="application/json")
        await at.until("delivered")
    assert [each["data"] for each in told(to)] == [json.loads(ONE)]


async def test_who_is_pinned_to_a_version_that_ends_is_told_so_with_each_event(url: str, to: Sink) -> None:
    async with desk(url, app=release(first(), second(), third())) as at:
        store = at.opened.store
        [row] = [each for each in await store.event_versions(TYPE) if each.version == 1]
        page, dates = "https://example.org/3", {"deprecated": 1_796_083_200_000_000, "sunset": 1_803_859_200_000_000}
        await store.write_version(replace(row, life="deprecated", migration=page, **dates))
        await at.opened.instance.beat()
        await at.add(to.url(), pin={TYPE: 1})
        await publish(at, 3, THREE, id="3")
        await at.until("delivered")
        [kept] = await at.opened.log.at([1])
    [got] = to.got
    assert {name: value for name, value in told(to)[0].items() if name.startswith("deprec")} == {
        "deprecated": True,
        "deprecationfrom": "2026-12-01T00:00:00.000000Z",
        "deprecationsunset": "2027-03-01T00:00:00.000000Z",
        "deprecationmigration": page,
    }
    assert told(to)[0]["dataversion"] == 1
    assert (got.headers["deprecation"], got.headers["sunset"]) == ("@1796083200", "Mon, 01 Mar 2027 00:00:00 GMT")
    assert "deprecated" not in kept.envelope.attributes
