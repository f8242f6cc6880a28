from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tests.unit.reconciliation.declared import facts
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.stamps import AGREEING, SECOND, Asked, Stamps

TRUE_AT_ZERO = 1_700_000_000 * SECOND


def asked_by(began: int, ended: int, date: int | None) -> Asked:
    return Asked(began=began, ended=ended, wall=TRUE_AT_ZERO + ended, date=date)


def as_of_by(stamps: Stamps, asked: Asked, least: int = NEVER) -> int | None:
    found = stamps.stamp(asked, least=least)
    return None if found is None else found.as_of


def read(draw: random.Random, began: int, *, cut: int = SECOND) -> tuple[Asked, int]:
    """Return a call that begins then, and the true time at which the provider made its read."""
    made = began + draw.randrange(1, 400_000)
    ended = made + draw.randrange(1, 400_000)
    date = TRUE_AT_ZERO + made + draw.randrange(0, min(ended - made, 100_000) + 1)
    return asked_by(began, ended, date // cut * cut), TRUE_AT_ZERO + made


@pytest.mark.parametrize("lag", [0, 3])
@pytest.mark.parametrize("tick", [timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=1)])
def test_as_of_is_never_above_the_true_read_start(tick: timedelta, lag: int) -> None:
    draw = random.Random(1)
    stamps, now = Stamps(facts(tick=tick, replica_lag=timedelta(seconds=lag))), 0
    tick_us = tick // timedelta(microseconds=1)
    for _ in range(3_000):
        asked, made = read(draw, now)
        as_of = as_of_by(stamps, asked)
        assert as_of is not None
        assert as_of + tick_us <= TRUE_AT_ZERO + asked.began - lag * SECOND  # it had closed
        assert as_of % tick_us == 0
        assert made - as_of < 4 * SECOND + lag * SECOND + 3 * tick_us  # and it is not thrown away either
        now += draw.randrange(1, 2_000_000)


def test_as_of_never_falls_between_ordered_reads() -> None:
    draw = random.Random(2)
    stamps, now = Stamps(facts(tick=timedelta(milliseconds=1))), 0
    past: list[tuple[int, int]] = []
    for _ in range(3_000):
        asked, _ = read(draw, now)
        as_of = as_of_by(stamps, asked)
        assert as_of is not None
        assert all(as_of >= other for ended, other in past[-50:] if ended <= asked.began)
        past.append((asked.ended, as_of))
        now += draw.randrange(1, 300_000)  # they overlap


def test_what_others_proved_before_is_the_least() -> None:
    asked = asked_by(0, 100_000, TRUE_AT_ZERO)
    plain = as_of_by(Stamps(facts()), asked)
    assert plain is not None
    assert as_of_by(Stamps(facts()), asked, plain + 5 * SECOND) == plain + 5 * SECOND
    assert as_of_by(Stamps(facts()), asked, plain - 5 * SECOND) == plain


def test_a_read_without_a_date_proves_nothing() -> None:
    assert Stamps(facts()).stamp(asked_by(0, 1, None)) is None


@pytest.mark.parametrize("jump", [200, -3600, 5])
def test_a_jumping_date_header_dates_nothing(jump: int) -> None:
    stamps, usual = Stamps(facts()), list[int | None]()

    def at(second: int, off: int = 0) -> int | None:
        date = TRUE_AT_ZERO + (second + off) * SECOND
        asked = asked_by(second * SECOND - 100_000, second * SECOND, date)
        return as_of_by(stamps, asked, least=usual[-1] or NEVER if usual else NEVER)

    for second in range(10):
        usual.append(at(second))
    assert at(10, jump) is None
    after = at(11)
    assert after is not None
    assert usual[-1] is not None
    assert after == usual[-1] + 2 * SECOND  # as if it had not been there
    assert [at(second, jump) for second in range(12, 12 + AGREEING // SECOND)] == [None] * (AGREEING // SECOND)
    believed = at(12 + AGREEING // SECOND, jump)
    assert believed is not None
    assert believed == after + (1 + AGREEING // SECOND + jump) * SECOND  # also where that is earlier than before


def test_dates_that_jump_now_here_now_there_are_never_believed() -> None:
    stamps, draw = Stamps(facts()), random.Random(3)
    assert stamps.stamp(asked_by(0, 1, TRUE_AT_ZERO)) is not None
    for second in range(1, 2_000):
        date = TRUE_AT_ZERO + (second + (second % 2 * 2 - 1) * (100 + draw.randrange(1_000))) * SECOND
        assert stamps.stamp(asked_by(second * SECOND - 1, second * SECOND, date)) is None


def first_dates(*offs: int) -> list[bool]:
    """Return which of the first dates are believed, each off by so many seconds, a second after the one before."""
    stamps, found = Stamps(facts()), []
    for second, off in enumerate(offs):
        asked = asked_by(second * SECOND, second * SECOND, TRUE_AT_ZERO + (second + off) * SECOND)
        found.append(as_of_by(stamps, asked) is not None)
    return found


def test_a_first_date_ahead_of_our_clock_is_believed_once_another_one_agrees() -> None:
    assert first_dates(200, 200) == [False, True]
    assert first_dates(200, 0, 0) == [False, True, True]
    assert first_dates(200, 0, 200) == [False, True, False]
    assert first_dates(200, 100, 100) == [False, False, True]
    assert first_dates(2, 2) == [True, True]
    assert first_dates(-200, -200) == [True, True]
