from __future__ import annotations

import random
from bisect import bisect_left

import pytest

from tidings.reconciliation.rules.floors import NEVER, Floors, Known
from tidings.reconciliation.rules.places import START, WHOLE, Place, Range

PLACES = [(n,) for n in range(20)]


def test_nothing_is_known_at_first() -> None:
    assert Floors().upserts == Floors().deletes == NEVER
    assert Floors().at((3,)) == Known()


def test_one_range_that_was_never_proved_leaves_the_whole_unproved() -> None:
    floors = Floors().raised(Range(START, (5,)), Known(1, 1, 1, 1)).raised(Range((6,), None), Known(1, 1, 1, 1))
    assert floors.upserts == NEVER
    assert floors.raised(Range((5,), (6,)), Known(1, 1, 1, 1)).upserts == 1


def test_an_empty_range_proves_nothing() -> None:
    assert Floors().raised(Range((5,), (5,)), Known(9, 9, 9, 9)) == Floors()


@pytest.mark.parametrize("seed", range(200))
def test_floor_intervals_split_join_and_never_fall(seed: int) -> None:
    draw = random.Random(seed)
    floors, plain = Floors(), {at: Known() for at in PLACES}
    for _ in range(40):
        after = draw.choice([START, *PLACES])
        end = draw.choice([None, *PLACES])
        range_, to = Range(after, end), Known(*(draw.choice([NEVER, draw.randrange(9)]) for _ in range(4)))
        floors = floors.raised(range_, to)
        plain = {at: known.raised(to) if at in range_ else known for at, known in plain.items()}
        assert {at: floors.at(at) for at in PLACES} == plain
        assert list(floors.starts) == sorted(set(floors.starts))
        assert floors.starts[0] == START
        assert all(one != other for one, other in zip(floors.known, floors.known[1:], strict=False))
    assert floors.raised(WHOLE, Known(9, 9, 9, 9)) == Floors((START,), (Known(9, 9, 9, 9),))


def test_a_range_is_told_apart_by_places_it_holds() -> None:
    inside: list[Place] = [at for at in PLACES if at in Range((3,), (7,))]
    assert inside == PLACES[bisect_left(PLACES, (4,)) : 8]
