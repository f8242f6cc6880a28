"""A pattern that looks into data is asked of the version in which its endpoint is told the event."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.versions.bookmarks import ONE, THREE, TYPE, first, said, third
from tests.unit.webhooks.deliver.desk import Desk, Sink, desk, sink
from tests.unit.webhooks.deliver.test_pinning import release
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
    async with desk(url, app=release(first())) as at:
        await at.add(to.url(), "e", pin={TYPE: 2}, pattern=of_user("jack"))
        await at.add(to.url(), "other", pin={TYPE: 2}, pattern={"type": ["another"], "data": {"user_id": ["jack"]}})
        await publish(at, 1, ONE, "one")
        [row] = await at.until("held")
    assert (row["endpoint"], row["reason"]) == ("e", "version-unreadable")


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
