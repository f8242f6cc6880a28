"""What an account may still be asked, whatever the clocks of those who ask say."""

from __future__ import annotations

from msgspec.structs import replace

from tidings.reconciliation.rules.facts import Rate
from tidings.reconciliation.rules.purses import SECOND, SKEW_MAX, Priority, drawn, full, limited, refilled, wait_of

RATE = Rate(per_second=10, burst=20)
NOW = 1_000_000 * SECOND


def test_whole_lists_leave_half_of_a_burst_to_those_who_wait() -> None:
    purse = replace(full(RATE, NOW), tokens=9.9)
    assert [wait_of(purse, RATE, each) for each in Priority] == [0, 0, 9_999]
    purse = replace(purse, tokens=3.9)
    assert [wait_of(purse, RATE, each) > 0 for each in Priority] == [False, True, True]


def test_no_portion_is_more_than_there_is_above_what_is_kept() -> None:
    purse, count = drawn(replace(full(RATE, NOW), tokens=4.9), RATE, Priority.VERIFY, most=9)
    assert (count, round(purse.tokens, 1)) == (1, 3.9)
    purse, count = drawn(full(RATE, NOW), RATE, Priority.LIVE, most=9)
    assert (count, purse.tokens) == (2, 18.0)
    assert drawn(full(RATE, NOW), RATE, Priority.LIVE, most=1)[1] == 1


def test_of_many_who_are_told_to_wait_at_once_one_halves_the_bulk_rate() -> None:
    purse = limited(full(RATE, NOW), 7.0)
    assert [wait_of(purse, RATE, each) for each in Priority] == [7 * SECOND] * 3
    assert purse.share == RATE.bulk_share / 2
    again = limited(purse, 2.0)
    assert (again.rest_until, again.share) == (purse.rest_until, purse.share)
    assert limited(full(RATE, NOW), 1e9).rest_until == NOW + 3_600 * SECOND


def test_each_quiet_minute_gives_a_tenth_of_the_bulk_rate_back() -> None:
    purse = limited(full(RATE, NOW), 0.0)
    assert refilled(purse, RATE, NOW + 59 * SECOND).share == 0.1
    assert round(refilled(purse, RATE, NOW + 60 * SECOND).share, 3) == 0.11
    assert refilled(purse, RATE, NOW + 3_600 * SECOND).share == RATE.bulk_share


def test_a_clock_that_is_behind_refills_nothing() -> None:
    purse = replace(full(RATE, NOW), tokens=0.0)
    behind = refilled(purse, RATE, NOW - 30 * SECOND)
    assert (behind.tokens, behind.at) == (0.0, NOW)
    ahead = refilled(behind, RATE, NOW + SECOND)
    assert (ahead.tokens, ahead.at) == (10.0, NOW + SECOND)


def test_what_a_clock_far_ahead_noted_holds_nobody_up() -> None:
    year = 365 * 86_400 * SECOND
    purse = drawn(limited(full(RATE, NOW + year), 60.0), RATE, Priority.BULK, most=9)[0]
    found = refilled(replace(purse, tokens=0.0), RATE, NOW)
    assert found.at == NOW
    assert found.rest_until == NOW + 3_600 * SECOND
    rested = replace(found, rest_until=0)
    assert wait_of(rested, RATE, Priority.LIVE) == 100_000
    assert found.bulk_next <= NOW + SECOND
    near = refilled(replace(purse, at=NOW + SKEW_MAX), RATE, NOW)
    assert near.at == NOW + SKEW_MAX
