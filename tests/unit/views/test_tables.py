"""Which table a view is read from, and when the start must be stopped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

from tests.unit.views.events import Bookmarked, fold
from tidings.errors import ShapeChangedError
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec
from tidings.views.tables import standing


@dataclass
class Shelf:
    user_id: str
    tweets: int


@dataclass
class FullerShelf:
    user_id: str
    tweets: int
    title: str


def shelve(row: Any, event: Bookmarked) -> Any:
    return Shelf(event.user_id, (row.tweets if row else 0) + 1)


def shelf(
    row: type = Shelf, *, version: int = 1, mode: Literal["async", "inline"] = "async", folded: bool = True
) -> ViewSpec:
    folds = (fold(Bookmarked, shelve),) if folded else ()
    return ViewSpec(service="chirp", row=row, key=("user_id",), mode=mode, version=version, folds=folds, name="shelf")


def current(view: ViewSpec, version: int = 1) -> ViewRecord:
    return view.record(version, "current")


def test_without_a_table_the_first_one_is_made() -> None:
    found = standing(shelf(), [])
    assert (found.step, found.current, found.next_version) == ("create", None, 1)


def test_tables_of_other_views_and_services_are_none_of_its_business() -> None:
    others = [replace(current(shelf(FullerShelf, version=3)).table, view="other")]
    others += [replace(current(shelf(FullerShelf, version=3)).table, service="other")]
    found = standing(shelf(), [replace(current(shelf(FullerShelf, version=3)), table=table) for table in others])
    assert (found.step, found.records) == ("create", ())


def test_a_live_table_of_its_shape_and_mode_is_used() -> None:
    found = standing(shelf(), [current(shelf())])
    assert (found.step, found.current) == ("use", current(shelf()))


def test_a_live_table_of_an_older_version_is_read_until_the_next_one_is_built() -> None:
    old, newer = current(shelf(), 4), shelf(FullerShelf, version=2)
    found = standing(newer, [newer.record(7, "building"), old])
    assert (found.step, found.current, found.next_version) == ("rebuild", old, 8)


def test_another_mode_is_another_table() -> None:
    assert standing(shelf(mode="inline"), [current(shelf())]).step == "rebuild"
    assert standing(shelf(), [current(shelf(mode="inline"))]).step == "rebuild"


@pytest.mark.parametrize("row", [Shelf, FullerShelf])
def test_a_live_table_that_a_newer_release_made_stops_the_start(row: type) -> None:
    with pytest.raises(ShapeChangedError) as stopped:
        standing(shelf(version=1), [current(shelf(row, version=2), 5)])
    assert "is version 1 here, but a newer release made its current table, of version 2" in str(stopped.value)
    assert "run that release, or declare version 3" in str(stopped.value)


def test_another_shape_under_the_same_version_stops_the_start() -> None:
    with pytest.raises(ShapeChangedError) as stopped:
        standing(shelf(FullerShelf), [current(shelf())])
    assert "has changed its columns, key, rank or events, but not its version" in str(stopped.value)
    assert "declare version=2" in str(stopped.value)


def test_a_view_that_handlers_write_cannot_change_its_shape() -> None:
    for version in (1, 2):
        with pytest.raises(ShapeChangedError, match="no fold can build it anew, since handlers write it"):
            standing(shelf(FullerShelf, version=version, folded=False), [current(shelf(folded=False))])
    assert standing(shelf(folded=False), [current(shelf(folded=False))]).step == "use"
