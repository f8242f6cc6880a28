from __future__ import annotations

from tidings.consumers.breaker import LONGEST_PAUSE, SUBJECTS, Breaker


def failing(count: int, *, error: Exception | None = None, now: float = 0.0) -> Breaker:
    breaker = Breaker("c")
    for n in range(count):
        breaker.failed(f"s{n}", error or ValueError(), now=now)
    return breaker


def test_twenty_different_subjects_in_a_row_pause_the_consumer() -> None:
    assert SUBJECTS == 20
    assert not failing(19).is_pausing(0.0)
    assert failing(20).is_pausing(0.0)
    assert not failing(20).is_pausing(1.0)


def test_the_same_subject_counts_once() -> None:
    breaker = failing(19)
    for _ in range(5):
        breaker.failed("s3", ValueError(), now=0.0)
    assert not breaker.is_pausing(0.0)


def test_an_entry_that_is_handled_begins_the_row_anew() -> None:
    breaker = failing(19)
    breaker.handled()
    breaker.failed("another", ValueError(), now=0.0)
    assert not breaker.is_pausing(0.0)


def test_an_error_of_another_class_begins_the_row_anew() -> None:
    breaker = failing(19)
    breaker.failed("another", KeyError(), now=0.0)
    breaker.failed("s20", ValueError(), now=0.0)
    assert not breaker.is_pausing(0.0)


def test_each_further_failure_pauses_for_longer_up_to_a_minute() -> None:
    breaker, now, pauses = failing(20), 0.0, []
    for n in range(8):
        pauses.append(breaker.until - now)
        now = breaker.until
        breaker.failed(f"more{n}", ValueError(), now=now)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert LONGEST_PAUSE == 60


def test_a_pause_under_way_is_not_lengthened() -> None:
    breaker = failing(20)
    breaker.failed("more", ValueError(), now=0.5)
    assert breaker.until == 1.0
