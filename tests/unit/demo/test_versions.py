"""What the demonstration says of versions is said only if it is so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidings.demo.plan import Plan
from tidings.demo.rollout import WRITTEN, in_stages
from tidings.demo.traffic import BOOKMARKED
from tidings.demo.truth import Rows
from tidings.demo.versions import (
    compare_desk,
    compare_end,
    compare_old_machines,
    compare_read,
    compare_wrong_order,
)
from tidings.demo.visitors import decide

PLAN = Plan.draw(7, events=300)


def read_as(*pairs: tuple[int, int]) -> Rows:
    return {(str(n),): {"event": str(n), "told": told, "read": read} for n, (told, read) in enumerate(pairs)}


def test_each_bookmark_must_have_been_read_once_and_never_as_an_older_version() -> None:
    written = [(1, None), (2, "a"), (3, "b")]
    assert compare_read(written, read_as((1, 1), (2, 2), (3, 3))).right
    assert compare_read(written, read_as((1, 3), (2, 3), (3, 3))).right
    assert not compare_read(written, read_as((1, 1), (2, 2), (3, 2))).right
    assert not compare_read(written, read_as((1, 1), (2, 2))).right
    assert not compare_read(written, read_as((1, 1), (1, 1), (2, 2), (3, 3))).right
    assert not compare_read([(1, None), (3, "b")], read_as((1, 1), (3, 3))).right


def desk(plan: Plan) -> list[tuple[int, str | None]]:
    """Return what the desk must write for these wishes."""
    decided = {each.wish.id for each in decide(plan.wishes)[0] if each.type == BOOKMARKED}
    stages = zip(WRITTEN, in_stages(plan.wish_requests()), strict=True)
    return [
        (due, id) for due, part in stages for _, id in dict.fromkeys(each.carries[0] for each in part) if id in decided
    ]


def test_the_desk_must_have_written_what_was_open_in_each_stage() -> None:
    written = desk(PLAN)
    assert {version for version, _ in written} == set(WRITTEN)
    assert compare_desk(PLAN, written).right
    assert not compare_desk(PLAN, written[1:]).right
    assert not compare_desk(PLAN, [(3, written[0][1]), *written[1:]]).right


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        (
            {"answer": "no", "reasons": [{"code": "consumer-does-not-accept", "consumer": "users", "accepts": [1]}]},
            True,
        ),
        ({"answer": "no", "reasons": [{"code": "missing-step"}]}, False),
        ({"answer": "ok", "reasons": []}, False),
        ({}, False),
    ],
)
def test_the_wrong_order_must_have_been_refused_for_its_readers(answer: dict[str, Any], is_right: bool) -> None:
    assert compare_wrong_order(answer).right == is_right


def test_version_1_must_have_ended() -> None:
    assert compare_end({"answer": "ok"}, told_anew=3, under_way=2).right
    assert not compare_end({"answer": "no", "reasons": [{"code": "in-transit"}]}, told_anew=3, under_way=2).right


def test_what_old_machines_told_must_be_kept_as_they_told_it() -> None:
    old = {each.id for each in PLAN.tellings if each.is_old}
    assert old
    assert compare_old_machines(PLAN, [(1, None)] * len(old)).right
    assert not compare_old_machines(PLAN, [(2, None)] * len(old)).right


def test_a_bookmark_is_told_in_any_version_under_the_same_id() -> None:
    told = next(each for each in PLAN.requests() if each.told_in is not None and each.form == "PUT")
    assert told.told_in is not None
    for version, more in ((1, {}), (2, {"folder": "all"}), (3, {"folders": ["all"]})):
        again = told.told_in(version)
        assert (again.path, again.carries) == (told.path, told.carries)
        assert again.headers["ce-dataversion"] == str(version)
        assert json.loads(again.body) == json.loads(told.body) | more
