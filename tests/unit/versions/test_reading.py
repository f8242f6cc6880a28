"""Releases of one program over one log: who reads what, who stops, and what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.versions.bookmarks import (
    ONE,
    THREE,
    TWO,
    TYPE,
    Release,
    first,
    said,
    second,
    third,
)
from tidings import App, InvalidDataError, Service, Settings
from tidings.errors import UnknownTypeError
from tidings.events.catalog import Catalog
from tidings.events.content import content_hash
from tidings.events.declaration import event
from tidings.store.reason import Reason
from tidings.telemetry.exposition import text
from tidings.versions.canonical import sha256_of
from tidings.versions.known import versions_of
from tidings.versions.schemas import schema_of
from tidings.views.declaration import Mode


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path / 'log.db'}")


async def test_a_handler_sees_its_own_version_and_is_told_which_was_written() -> None:
    async with Release((third(),)).open() as release:
        envelopes = [said(1, ONE), said(2, TWO, id="e2"), said(3, THREE, id="e3")]
        await release.opened.log.append(envelopes)
        await release.carry()
        assert [(event.owner.id, event.folder) for event, _ in release.seen] == [
            ("jack", "all"),
            ("jack", "later"),
            ("jack", "later"),
        ]
        assert [(seen.dataversion, seen.stored_version) for _, seen in release.seen] == [(3, 1), (3, 2), (3, 3)]
        kept = [entry.envelope for entry in await release.opened.log.at([1, 2, 3])]
        assert [(each.version, each.data, content_hash(each)) for each in kept] == [
            (each.version, each.data, content_hash(each)) for each in envelopes
        ]


async def test_an_older_class_with_its_own_handler_is_native_too() -> None:
    async with Release((first(), third())).open() as release:
        await release.opened.log.append([said(1, ONE), said(2, TWO, id="e2")])
        await release.carry()
        assert [type(event).__struct_fields__ for event, _ in release.seen] == [
            ("tweet_id", "user_id"),
            ("tweet_id", "owner", "folder"),
        ]


async def test_a_version_that_cannot_be_read_stops_its_partition_and_sets_nothing_aside(settings: Settings) -> None:
    async with Release((second(),)).open(settings) as old:
        await old.opened.log.append([said(2, TWO), said(3, THREE, id="e2"), said(2, TWO, id="e3")])
        await old.carry()
        assert {(event.folder, seen.id) for event, seen in old.seen} == {("later", "e1")}
        assert await old.opened.store.parked() == []
        [checkpoint] = (await old.opened.store.checkpoints("lists")).values()
        assert (checkpoint.position, checkpoint.owner) == (1, None)
        told = old.opened.crew.failing["lists"]
        assert told.startswith("version-unreadable: ")
        assert "at position 2: tweet-bookmarked version 3 cannot be read here" in told
        metrics = text(await old.opened.telemetry.series()).decode()
        assert 'service="lists"' in metrics
        assert 'reason="version-unreadable"' in metrics
    async with Release((third(),)).open(settings) as new:
        await new.carry()
        assert [seen.stored_version for _, seen in new.seen] == [3, 2]
        assert "lists" not in new.opened.crew.failing


async def test_a_step_that_fails_parks_its_subject_at_once_and_a_redrive_after_the_fix_succeeds(
    settings: Settings,
) -> None:
    async with Release((third(up=lambda data: data["oops"]),)).open(settings) as broken:
        await broken.opened.log.append([said(2, TWO), said(3, THREE, id="e2", subject="20")])
        await broken.carry()
        [parked] = await broken.opened.store.parked("lists")
        assert (parked.state, parked.reason, parked.attempts, parked.entries) == ("dead", "transform-failed", 1, 2)
        assert "leads tweet-bookmarked from version 2 to 3, failed" in parked.error
    async with Release((third(),)).open(settings) as fixed:
        await fixed.opened.store.schedule_redrive("lists", "20", at=0)
        await fixed.carry()
        assert [seen.stored_version for _, seen in fixed.seen] == [2, 3]


async def test_dead_letters_are_upcast_on_redrive(settings: Settings) -> None:
    async with Release((first(),)).open(settings) as old:
        await old.opened.log.append([said(1, ONE)])
        [entry] = await old.opened.log.at([1])
        failed = Reason(kind="handler-failed", error="OSError: no", next_at=None)
        async with old.opened.store.unit() as unit:
            await unit.park("lists", "20", [entry], failed)
    async with Release((third(),)).open(settings) as new:
        done = await new.opened.letters(new.opened.services).redrive("lists:1", who="cli")
        assert (done.subjects, done.entries) == (1, 1)
        await new.carry()
        assert [(seen.dataversion, seen.stored_version) for _, seen in new.seen][:1] == [(3, 1)]
        assert await new.opened.store.parked("lists") == []


async def replayed_over_three_versions(settings: Settings) -> None:
    async with Release((third(up=lambda data: None),)).open(settings) as before:
        await before.opened.log.append([said(1, ONE), said(3, THREE, id="e3", subject="20")])
        await before.carry()
        assert [each.reason for each in await before.opened.store.parked("lists")] == ["transform-failed"]
    async with Release((third(),)).open(settings) as after:
        await after.opened.log.append([said(2, TWO, id="e2")])
        store = after.opened.store
        await store.schedule_redrive("lists", "20", at=0)
        await after.carry()
        await store.rewind("lists", to=0)
        await after.carry()
        assert [seen.stored_version for _, seen in after.seen] == [1, 3, 2, 1, 3, 2]
        assert await store.parked("lists") == []


async def test_a_replay_over_three_versions_succeeds_though_one_was_dead_before_its_steps_were_there(
    settings: Settings,
) -> None:
    await replayed_over_three_versions(settings)


async def test_so_does_one_on_postgresql(postgres_url: str) -> None:
    await replayed_over_three_versions(Settings(database_url=postgres_url))


def viewing(mode: Mode, cls: Any) -> App:
    service = Service("shown")

    @service.view(key=("tweet_id",), mode=mode)
    class Bookmark:
        tweet_id: str
        owner: str
        folder: str

    def fold(row: Bookmark | None, event: Any) -> Bookmark:
        return Bookmark(event.tweet_id, event.owner.id, event.folder)

    service.fold(Bookmark, cls)(fold)
    return App(service)


@pytest.mark.parametrize("mode", ["async", "inline", "live"])
async def test_folds_of_every_mode_read_each_version(mode: Mode) -> None:
    app = viewing(mode, third())
    async with app.open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        release = Release((), "shown")
        release.opened = opened
        await opened.log.append([said(1, ONE), said(2, TWO, id="e2"), said(3, THREE, id="e3")])
        await opened.log.append([said(2, b'{"tweet_id":"21","user_id":"ann"}', id="e4", subject="21")])
        await release.carry()
        [view] = opened.views
        async with app.unit("shown") as ctx:
            found = [await ctx.get(view.row, key) for key in ("20", "21")]
        assert [(row.owner, row.folder) for row in found] == [("jack", "later"), ("ann", "all")]
        if mode != "live":
            await opened.carrying.rebuild(view)
            async with app.unit("shown") as ctx:
                assert [await ctx.get(view.row, key) for key in ("20", "21")] == found


async def test_a_view_stops_before_a_version_it_cannot_read() -> None:
    app = viewing("async", third(steps=False))
    two, _ = second(), app
    service = Service("others", emits=[two])
    app = App(*app.services.values(), service)
    async with app.open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        release = Release((), "shown")
        release.opened = opened
        await opened.log.append([said(2, TWO)])
        await release.carry()
        assert await opened.store.parked() == []
        [told] = opened.crew.failing.values()
        assert told.startswith("version-unreadable: ")


def test_the_door_takes_every_version_that_leads_to_a_class_and_no_other() -> None:
    catalog = App(Service("lists", emits=[third()])).catalog
    for version, data in ((1, ONE), (2, TWO), (3, THREE)):
        admitted = catalog.admit(said(version, data, subject="20"), now_us=1)
        assert (admitted.version, admitted.data, admitted.subject) == (version, data, "20")
    assert catalog.older() == ((TYPE, 1), (TYPE, 2))
    with pytest.raises(UnknownTypeError, match=r"there is no version '4' of .*; there is 1, 2, 3"):
        catalog.admit(said(4, THREE), now_us=1)
    with pytest.raises(InvalidDataError, match="version 1 cannot be read here"):
        catalog.admit(said(1, b'{"tweet_id":"20"}'), now_us=1)


def test_the_door_judges_by_the_schema_of_a_version_that_has_no_class() -> None:
    cls = third(up=lambda data: data["oops"])
    told = {TYPE: {1: schema_of(first()), 2: schema_of(second())}}
    catalog = Catalog([cls], older=versions_of([cls], told).older())
    assert catalog.admit(said(2, TWO), now_us=1).subject == "20"  # valid: a step that fails is not the sender's fault
    with pytest.raises(InvalidDataError, match="does not fit tweet-bookmarked version 2"):
        catalog.admit(said(2, b'{"tweet_id":5,"user_id":"jack"}'), now_us=1)


def test_a_class_with_whole_numbers_has_a_schema_with_a_canonical_form() -> None:
    @event("items-counted", version=1)
    class ItemsCounted:
        n: int

    # RFC 8785 cannot write 64 bits, so that limits of that size are no part of what is registered.
    assert len(sha256_of(schema_of(ItemsCounted))) == 64


def test_the_door_refuses_more_than_64_bits_of_a_version_that_has_no_class_too() -> None:
    number = {"type": "object", "properties": {"tweet_id": {"type": "string"}, "n": {"type": "integer"}}}
    told = {TYPE: {1: schema_of(first()), 2: number}}
    cls = third(up=lambda data: {"tweet_id": data["tweet_id"], "owner": {"kind": "user", "id": "jack"}, "folder": "a"})
    catalog = Catalog([cls], older=versions_of([cls], told).older())
    assert catalog.admit(said(2, b'{"tweet_id":"20","n":9223372036854775807}'), now_us=1).subject == "20"
    with pytest.raises(InvalidDataError, match="does not fit tweet-bookmarked version 2"):
        catalog.admit(said(2, b'{"tweet_id":"20","n":9223372036854775808}'), now_us=1)
