"""The picture of what flows: everything is in it, nothing lies over anything else, and the same is drawn the same."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.faces.test_exports import NOW, lease, row
from tidings.console.picture import ENDPOINTS_MOST, Box, Picture, cut, picture_of
from tidings.faces.flow import flow_of
from tidings.versions.answer import AsOf
from tidings.versions.census import Census, Pinned

NAMES = ("a", "billing-and-dunning", "c", "d", "")
TYPES = ("came", "went-far-away-and-never-came-back", "x")


def census(*leases: object, versions: int = 2, endpoints: int = 0) -> Census:
    return Census(
        as_of=AsOf(time=NOW, position=1),
        versions=tuple(row(type, n + 1, gate="closed" if n else "open") for type in TYPES for n in range(versions)),
        leases=tuple(leases),  # type: ignore[arg-type]
        stored={},
        segments={},
        transit={},
        endpoints=tuple(Pinned(endpoint=f"e{n}", pins={TYPES[n % 3]: 1}) for n in range(endpoints)),
    )


@st.composite
def censuses(draw: st.DrawFn) -> Census:
    roles = st.sampled_from(("emit", "accept"))
    said = draw(
        st.lists(
            st.tuples(st.sampled_from(NAMES), roles, st.sampled_from(TYPES), st.sets(st.integers(1, 9), max_size=4)),
            max_size=14,
        )
    )
    leases = [
        lease(service or ("" if role == "emit" else "z"), role, type, *sorted(versions))
        for service, role, type, versions in said
    ]
    return census(*leases, versions=draw(st.integers(1, 9)), endpoints=draw(st.integers(0, 9)))


def overlap(one: Box, other: Box) -> bool:
    """Say whether there is no room between them."""
    beside = one.x + one.width < other.x or other.x + other.width < one.x
    return not beside and not (one.y + one.height < other.y or other.y + other.height < one.y)


def holds(box: Box, x: float, y: float) -> bool:
    """Say whether a place is at the side of a box, but for the head of an arrow."""
    return box.x - 8 <= x <= box.x + box.width and box.y + 6 < y < box.y + box.height - 6


def drawn(known: Census) -> Picture:
    return picture_of(flow_of(known, TYPES), known)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(censuses())
def test_no_box_lies_over_another_or_out_of_the_picture(known: Census) -> None:
    picture = drawn(known)
    assert not [(a.name, b.name) for a, b in combinations(picture.boxes, 2) if overlap(a, b)]
    for box in picture.boxes:
        assert box.x >= 0
        assert box.x + box.width <= picture.width
        assert box.y >= 0
        assert box.y + box.height <= picture.height
        assert all(box.x <= chip.x and chip.x + 26 <= box.x + box.width for chip in box.chips)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(censuses())
def test_every_line_has_a_place_of_its_own_at_both_of_its_boxes(known: Census) -> None:
    picture = drawn(known)
    ends = []
    for line in picture.lines:
        numbers = [float(each) for each in re.findall(r"[\d.]+", line.path)]
        for x, y in (numbers[:2], (numbers[-1], numbers[-2])):
            assert sum(holds(box, x, y) for box in picture.boxes) == 1, line
        ends += [(line.anchor, "begin", *numbers[:2]), (line.anchor, "end", numbers[-1], numbers[-2])]
    assert len(set(ends)) == len(ends)
    heights = sorted((line.anchor, line.y) for line in picture.lines)
    assert all(one[0] != other[0] or other[1] - one[1] > 12 for one, other in pairwise(heights))


def test_the_same_is_drawn_the_same_in_whatever_order_it_is_told() -> None:
    said = [lease("b", "emit", "came", 1), lease("a", "accept", "came", 1), lease("c", "accept", "came", 1, 2)]
    assert drawn(census(*said)) == drawn(census(*reversed(said)))


def test_lines_do_not_cross_where_they_need_not() -> None:
    said = [lease(service, "emit", type, 1) for service, type in zip("abc", reversed(TYPES), strict=True)]
    paths = [[float(each) for each in re.findall(r"[\d.]+", line.path)] for line in drawn(census(*said)).lines]
    heights = sorted((path[1], path[-2]) for path in paths)
    assert heights == sorted(heights, key=lambda each: each[1])


def test_whoever_lacks_a_version_is_told_apart_by_words_and_look() -> None:
    picture = drawn(census(lease("b", "emit", "came", 1, 2), lease("a", "accept", "came", 1)))
    assert [(line.text, line.look) for line in picture.lines] == [("1, has 2", "behind"), ("1, not 2, held", "held")]


def test_many_endpoints_are_one_box() -> None:
    few, many = drawn(census(endpoints=ENDPOINTS_MOST)), drawn(census(endpoints=40))
    assert sum(box.kind == "endpoint" for box in few.boxes) == ENDPOINTS_MOST
    assert [box.name for box in many.boxes if box.kind == "endpoint"] == ["to 40 endpoints"]


def test_a_name_that_is_cut_keeps_both_its_ends() -> None:
    assert cut("billing-and-dunning", 11) == "billi…nning"
    assert cut("orders", 11) == "orders"
