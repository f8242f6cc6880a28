"""A fold of one class is given every version that leads to it, and what cannot be read is said each time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.versions.bookmarks import ONE, TYPE, said, second, third
from tidings.errors import TransformError, VersionUnreadableError
from tidings.events.declaration import value_class
from tidings.events.envelope import Entry
from tidings.events.transformers import upcaster
from tidings.versions.known import versions_of
from tidings.versions.lineage import Lineage
from tidings.versions.schemas import schema_of
from tidings.views.declaration import FoldSpec, ViewSpec
from tidings.views.fold import Folding


@value_class
class Kept:
    tweet_id: str
    folder: str


def keep(row: Any, event: Any) -> Kept:
    return Kept(event.tweet_id, event.folder)


def folding(cls: Any, lineage: Lineage | None = None) -> Folding:
    versions = versions_of([cls])
    if lineage is not None:
        versions = type(versions)({TYPE: lineage})
    view = ViewSpec(service="bookmarks", row=Kept, key=("tweet_id",), folds=(FoldSpec(event=cls, function=keep),))
    return Folding(view.reading(versions))


def test_old_entries_are_folded_as_the_class_that_the_view_has() -> None:
    given = folding(third())
    entries = [Entry(1, 0, said(1, ONE)), Entry(2, 0, said(1, ONE.replace(b"jack", b"jill")))]
    assert [given.read(entry)[0] for entry in entries] == [("20",), ("20",)]
    assert [given.read(entry)[1].event.owner.id for entry in entries] == ["jack", "jill"]


def test_a_step_that_fails_on_one_entry_is_named_and_the_next_entry_is_read() -> None:
    cls = second()

    @upcaster(cls, from_version=1)
    def only_of_jack(data: dict[str, Any]) -> dict[str, Any]:
        return {"jack": {**data, "folder": "all"}}[data["user_id"]]

    given = folding(cls)
    for _ in range(2):
        with pytest.raises(TransformError, match="only_of_jack"):
            given.read(Entry(1, 0, said(1, ONE.replace(b"jack", b"jill"))))
        assert given.read(Entry(2, 0, said(1, ONE)))[1].event.folder == "all"


def test_a_version_that_nothing_leads_from_is_read_once_something_does() -> None:
    cls = second()
    lineage = versions_of([cls]).lineages[TYPE]
    given = folding(cls, lineage)
    for _ in range(2):
        with pytest.raises(VersionUnreadableError, match="cannot be read here"):
            given.read(Entry(1, 0, said(3, ONE)))
    lineage.learn({3: schema_of(cls)})
    assert given.read(Entry(1, 0, said(3, ONE)))[1].event.folder == "all"
