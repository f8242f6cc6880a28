"""A pattern that looks into data is asked of the version in which its endpoint is told the event."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.versions.bookmarks import ONE, THREE, TYPE, first, said, third
from tests.unit.webhooks.deliver.desk import Desk, Sink, always, desk, eventually, sink
from tests.unit.webhooks.deliver.test_pinning import release
from tidings.operations import deliveries as operating
from tidings.operations.endpoint_again import Wanted
from tidings.store.endpoint_deliveries import Range


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return "sqlite:///:memory:" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def to() -> AsyncIterator[Sink]:
    async with sink() as made:
        yield made


def of_user(name: str) -> dict[str, Any]:
    return {"type": [TYPE], "data": {"user_id": [name]}}


OF_OWNER = {"data": {"owner": {"id": ["jack"]}}}


async def publish(at: Desk, version: int, data: bytes, id: str) -> None:
    await at.opened.log.append([said(version, data, id=id)])


def got(to: Sink, path: str) -> list[str]:
    return [json.loads(each.body)["id"] for each in to.to(path)]


async def test_a_pattern_sees_the_data_in_the_version_that_is_told(url: str, to: Sink) -> None:
    async with desk(url, app=release(third())) as at:
        await at.add(to.url("/jack"), "jack", pin={TYPE: 1}, pattern=of_user("jack"))
        await at.add(to.url("/jill"), "jill", pin={TYPE: 1}, pattern=of_user("jill"))
        await at.add(to.url("/owner"), "owner", pin={TYPE: 3}, pattern=OF_OWNER)
        await publish(at, 1, ONE, "one")
        await publish(at, 3, THREE, "three")
        await at.until(*["delivered"] * 4)
    assert sorted(got(to, "/jack")) == sorted(got(to, "/owner")) == ["one", "three"]
    assert got(to, "/jill") == []


async def test_without_a_pin_a_pattern_sees_the_data_as_it_was_published(url: str, to: Sink) -> None:
    async with desk(url, app=release(third())) as at:
        await at.add(to.url("/user"), "user", pin={}, pattern=of_user("jack"))
        await at.add(to.url("/owner"), "owner", pin={}, pattern=OF_OWNER)
        await publish(at, 1, ONE, "one")
        await publish(at, 3, THREE, "three")
        await at.until(*["delivered"] * 2)
    assert (got(to, "/user"), got(to, "/owner")) == (["one"], ["three"])


async def test_a_replay_asks_the_pattern_of_the_version_that_is_told(url: str, to: Sink) -> None:
    async with desk(url, app=release(third())) as at:
        await publish(at, 3, THREE, "three")
        await at.add(to.url("/jack"), "jack", pin={TYPE: 1}, pattern=of_user("jack"))
        await at.add(to.url("/jill"), "jill", pin={TYPE: 1}, pattern=of_user("jill"))
        head = (await at.opened.log.head()).position
        for id in ("jack", "jill"):
            await at.endpoints.replay(id, Wanted(within=Range(after=0, to=head)))
        await at.until("delivered")
    assert (got(to, "/jack"), got(to, "/jill")) == (["three"], [])


async def test_what_cannot_be_brought_to_the_pin_is_not_lost_by_a_pattern(url: str, to: Sink) -> None:
    """Its delivery is held, and says why, for those whose pattern takes the rest of it."""
    async with desk(url, app=release(third(steps=False))) as at:
        await at.add(to.url(), "e", pin={TYPE: 2}, pattern=of_user("jack"))
        await at.add(to.url(), "other", pin={TYPE: 2}, pattern={"type": ["another"], "data": {"user_id": ["jack"]}})
        await publish(at, 1, ONE, "one")
        [row] = await at.until("held")
    assert (row["endpoint"], row["reason"]) == ("e", "version-unreadable")


OF_JILL = ONE.replace(b"jack", b"jill")


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that outlives a program."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kept.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.mark.parametrize("ordering", ["none", "key", "fifo"])
async def test_who_could_not_be_asked_is_asked_once_there_is_a_step(kept: str, to: Sink, ordering: str) -> None:
    async with desk(kept, app=release(third(steps=False))) as at:
        await at.add(to.url(), pin={TYPE: 3}, pattern=OF_OWNER, ordering=ordering)
        await publish(at, 1, OF_JILL, "jill")
        await publish(at, 1, ONE, "jack")
        await at.until("held", "held" if ordering == "none" else "behind")
    async with desk(kept, app=release(third())) as at:
        row, _ = await at.until("cancelled", "delivered")
        assert list(await at.store.attempts(row["key"])) == []
    assert got(to, "/") == ["jack"]
    assert (row["reason"], row["error"], row["attempts"]) == (
        "not-wanted",
        "the endpoint's pattern does not take it in version 3",
        0,
    )
    assert row["closed"] is not None


async def test_who_polls_is_given_what_its_pattern_takes_once_there_is_a_step(kept: str) -> None:
    async with desk(kept, app=release(third(steps=False))) as at:
        await at.endpoints.add({"via": "poll", "pin": {TYPE: 3}, "pattern": OF_OWNER}, id="e")
        await publish(at, 1, OF_JILL, "jill")
        await publish(at, 1, ONE, "jack")
        await at.until("due", "due")
    async with desk(kept, app=release(third())) as at:
        page = await at.opened.polling.page("e", limit=10)
        rows = await at.rows()
    assert [each.entry.envelope.id for each in page.deliveries] == ["jack"]
    assert [(each["state"], each["reason"]) for each in rows] == [("cancelled", "not-wanted"), ("due", None)]


async def test_who_could_not_be_asked_for_a_failing_step_is_asked_in_the_retry(kept: str, to: Sink) -> None:
    def broken(data: dict[str, Any]) -> dict[str, Any]:
        raise KeyError("user_id")

    async with desk(kept, app=release(third(up=broken))) as at:
        await at.add(to.url(), pin={TYPE: 3}, pattern=OF_OWNER)
        await publish(at, 1, OF_JILL, "jill")
        [row] = await at.until("dead")
    async with desk(kept, app=release(third())) as at:
        await operating.retry(at.store, row["key"], at.opened.ports.clock, who="cli")
        [row] = await at.until("cancelled")
    assert (row["reason"], to.got) == ("not-wanted", [])


async def test_a_batch_goes_without_what_its_pattern_does_not_take(kept: str, to: Sink) -> None:
    async with desk(kept, app=release(third(steps=False))) as at:
        await at.add(to.url(), pin={TYPE: 3}, pattern=OF_OWNER, batch={"size": 3, "linger_ms": 200})
        for id, data in (("jack", ONE), ("jill", OF_JILL), ("jack again", ONE)):
            await publish(at, 1, data, id)
        await at.until(*["held"] * 3)
    async with desk(kept, app=release(third())) as at:
        await at.until("delivered", "cancelled", "delivered")
    assert [each["id"] for batch in to.got for each in json.loads(batch.body)] == ["jack", "jack again"]


async def test_what_was_sent_is_sent_again_whatever_the_pattern_has_become(kept: str, to: Sink) -> None:
    to.answer = always(500)
    async with desk(kept, app=release(third()), delivery_delays="0,600") as at:
        await at.add(to.url(), pin={TYPE: 3}, pattern=OF_OWNER)
        await publish(at, 1, ONE, "jack")
        await eventually(lambda: _is_failing(at))
        await at.endpoints.change("e", {"pattern": {"data": {"owner": {"id": ["jill"]}}}})
        to.answer = always(200)
        [row] = await at.rows()
        await operating.retry(at.store, row["key"], at.opened.ports.clock, who="cli")
        await at.until("delivered")


async def _is_failing(at: Desk) -> bool:
    return [(each["state"], each["attempts"]) for each in await at.rows(endpoint="e")][:1] == [("due", 1)]


async def test_an_endpoint_is_pinned_to_the_newest_version_that_is_open_when_it_is_made(url: str, to: Sink) -> None:
    async with desk(url, app=release(first())) as at:
        await at.add(to.url(), "all")
        await at.add(to.url(), "some", pattern={"type": [TYPE]})
        await at.add(to.url(), "others", pattern={"type": ["another"]})
        await at.add(to.url(), "as-published", pin={})
        pins = {each.id: dict(each.members["pin"]) for each in await at.endpoints.list()}
        assert pins == {"all": {TYPE: 1}, "some": {TYPE: 1}, "others": {}, "as-published": {}}
        await at.endpoints.change("all", {"url": to.url("/new")}, whole=True)
        assert (await at.endpoints.show("all")).members["pin"] == {TYPE: 1}
