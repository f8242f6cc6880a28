from __future__ import annotations

from tidings.consumers.pace import LEAST_LIMIT, MOST_LIMIT, Pace

BUDGET = 0.020


def test_the_first_entry_is_handled_alone_since_nobody_knows_how_long_it_takes() -> None:
    assert Pace(BUDGET).slice(100, spent=0.0) == 1


def test_a_unit_ends_when_its_time_is_spent() -> None:
    pace = Pace(BUDGET, each=0.004)
    assert pace.slice(100, spent=0.0) == 5
    assert pace.slice(100, spent=0.008) == 3
    assert pace.slice(100, spent=0.019) == 0
    assert pace.slice(100, spent=BUDGET) == 0


def test_a_unit_does_something_even_if_one_entry_takes_longer_than_a_unit_should() -> None:
    assert Pace(BUDGET, each=1.0).slice(100, spent=0.0) == 1


def test_what_nearly_fits_is_not_cut() -> None:
    assert Pace(BUDGET, each=0.004).slice(6, spent=0.0) == 6
    assert Pace(BUDGET, each=0.004).slice(7, spent=0.0) == 5


def test_pages_grow_while_they_are_full_and_quick() -> None:
    pace = Pace(BUDGET)
    limits = []
    for _ in range(6):
        limits.append(pace.limit)
        pace = pace.read(pace.limit, pace.limit)
    assert limits == [100, 200, 400, 800, MOST_LIMIT, MOST_LIMIT]


def test_pages_that_are_not_full_stay_as_they_are() -> None:
    assert Pace(BUDGET, limit=200).read(7, 7).limit == 200


def test_pages_shrink_to_what_a_unit_could_do() -> None:
    assert Pace(BUDGET, limit=800).read(300, 800).limit == 300
    assert Pace(BUDGET, limit=800).read(1, 800).limit == LEAST_LIMIT


def test_the_time_of_one_entry_is_that_of_the_last_unit() -> None:
    assert Pace(BUDGET).took(10, 0.1).each == 0.01
    assert Pace(BUDGET, each=5.0).took(10, 0.0).each == 0.0
