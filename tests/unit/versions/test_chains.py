"""Steps that do not join are told at the start, all in one report."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.versions.bookmarks import (
    TYPE,
    Owner,
    first,
    folder_added,
    owner_from_user,
    second,
    third,
    user_from_owner,
)
from tidings import App, DeclarationError, Service
from tidings.errors import TransformerChainError
from tidings.events.declaration import event
from tidings.events.transformers import downcaster, transformers_of, upcaster
from tidings.versions.known import versions_of
from tidings.versions.lineage import lineages_of


def faults(*classes: Any) -> tuple[str, ...]:
    with pytest.raises(TransformerChainError) as refused:
        versions_of(classes)
    return refused.value.faults


def test_steps_that_join_pass() -> None:
    assert versions_of([third()]).lineages["tweet-bookmarked"].versions == (1, 2, 3)
    assert versions_of([first(), second(), third()])


def test_two_steps_for_one_edge() -> None:
    cls = third()
    upcaster(cls, from_version=2)(folder_added)
    [fault] = faults(cls)
    assert "owner_from_user and" in fault
    assert "from version 2 to 3: keep one of them" in fault


def test_steps_out_of_the_versions_there_are() -> None:
    cls = third()
    upcaster(cls, from_version=3)(folder_added)
    downcaster(cls, from_version=1)(folder_added)
    up, down = faults(cls)
    assert "from version 3 to 4, but the versions are 1 to 3" in up
    assert "from version 1 to 0" in down


def test_a_gap_below_a_class() -> None:
    cls = third(steps=False)
    upcaster(cls, from_version=1)(folder_added)
    assert [fault for fault in faults(cls) if "no step leads from version 2 to 3: write an upcaster" in fault]


def test_a_gap_that_the_lock_file_tells_of() -> None:
    told = {"tweet-bookmarked": {1: {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}}}
    cls = third(steps=False)
    upcaster(cls, from_version=2)(owner_from_user)
    with pytest.raises(TransformerChainError, match="no step leads from version 1 to 2"):
        versions_of([cls], told)


def test_a_circle_of_steps_cannot_be_said() -> None:
    """Each step leads to a neighbour, and up or down alone: no chain of either comes back."""
    cls = third()
    edges = {each.edge for each in transformers_of(cls)}
    assert {(1, 2), (2, 3), (3, 2), (2, 1)} == edges
    lineage = lineages_of([cls])[TYPE]
    paths = {(of, to): lineage.path(of, to) for of in lineage.versions for to in lineage.versions}
    assert {len(path) for path in paths.values() if path is not None} == {0, 1, 2}
    with pytest.raises(TypeError):
        upcaster(cls, from_version=3, to_version=1)(lambda data: data)  # type: ignore[call-arg]


def test_a_changed_meaning_needs_both_steps() -> None:
    @event("measured", version=2, semantic_change=True)
    class Measured:
        celsius: int

    up, down = faults(Measured)
    assert "write an upcaster with from_version=1" in up
    assert "write a downcaster with from_version=2" in down


def test_a_way_down_that_loses_something_says_what() -> None:
    cls = third(steps=False)
    downcaster(cls, from_version=3)(user_from_owner)
    upcaster(cls, from_version=2)(owner_from_user)
    [fault] = faults(second(), cls)
    assert 'as in loses=("owner.kind",)' in fault


def test_all_faults_are_told_in_one_report_when_the_app_is_made() -> None:
    cls = third()
    upcaster(cls, from_version=2)(folder_added)
    upcaster(cls, from_version=3)(folder_added)
    service = Service("lists", emits=[cls])
    with pytest.raises(TransformerChainError, match=r"keep one of them; .*the versions are 1 to 3"):
        App(service)


@pytest.mark.parametrize("version", [0, -1, True, "2", 1.0])
def test_a_version_is_a_whole_number(version: Any) -> None:
    with pytest.raises(DeclarationError, match="from_version must be a whole number"):
        upcaster(first(), from_version=version)


async def _later(data: dict[str, Any]) -> dict[str, Any]:
    return data


@pytest.mark.parametrize("function", [_later, Owner, 5, dict, lambda a, b, c: {}, lambda *data: {}])
def test_a_step_is_a_plain_function_of_the_data(function: Any) -> None:
    with pytest.raises(DeclarationError, match="write @upcaster"):
        upcaster(first(), from_version=1)(function)


def test_what_is_lost_is_a_tuple() -> None:
    with pytest.raises(DeclarationError, match=r"loses=\('folder',\)"):
        downcaster(first(), from_version=1, loses="folder")
