from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.health import Health

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 20_000 * DAY


def failing(state: Health, times: Iterable[int], *, events: int = 1_000) -> Health:
    """Let an attempt fail at each time; the events take turns."""
    for number, at in enumerate(times):
        state = health.failed(state, event=number % events + 1, now=at)
    return state


def degraded() -> Health:
    return failing(health.new(NOW), [NOW + each for each in range(10)])


def test_ten_failures_in_a_row_on_two_events_degrade() -> None:
    nine = failing(health.new(NOW), [NOW + HOUR * each for each in range(9)], events=2)
    assert nine.state == "active"
    tenth = health.failed(nine, event=1, now=NOW + HOUR * 9)
    assert (tenth.state, tenth.since, tenth.why) == ("degraded", NOW + HOUR * 9, "failures-in-a-row")


def test_failures_of_one_event_alone_do_not_degrade() -> None:
    assert failing(health.new(NOW), [NOW + HOUR * each for each in range(40)], events=1).state == "active"


def test_a_success_in_between_begins_the_row_anew() -> None:
    state = failing(health.new(NOW), [NOW + HOUR * each for each in range(9)])
    state = health.succeeded(state, now=NOW + 9 * HOUR)
    assert failing(state, [NOW + HOUR * each for each in range(10, 19)]).state == "active"


def test_seven_of_ten_attempts_in_five_minutes_degrade() -> None:
    state = health.new(NOW)
    for at in range(3):
        state = health.succeeded(state, now=NOW + at)
    state = failing(state, [NOW + MINUTE + at for at in range(6)], events=1)
    assert state.state == "active"
    tenth = health.failed(state, event=1, now=NOW + 2 * MINUTE)
    assert (tenth.state, tenth.why) == ("degraded", "most-attempts-fail")


def test_fewer_than_ten_attempts_say_nothing() -> None:
    assert failing(health.new(NOW), [NOW + at for at in range(9)], events=1).state == "active"


def test_attempts_older_than_five_minutes_do_not_count() -> None:
    state = failing(health.new(NOW), [NOW + at for at in range(9)], events=1)
    assert health.failed(state, event=1, now=NOW + 5 * MINUTE).state == "active"


def test_attempts_of_the_future_do_not_count_when_the_clock_was_set_back() -> None:
    state = failing(health.new(NOW), [NOW + DAY + at for at in range(9)], events=1)
    assert health.failed(state, event=1, now=NOW).state == "active"


def test_probes_are_thirty_seconds_apart_and_double_to_ten_minutes() -> None:
    state, gaps, now = degraded(), [], NOW + 9
    for _ in range(7):
        gaps.append((state.not_before - now) // SECOND)
        now = state.not_before
        state = health.failed(state, event=1, now=now)
    assert gaps == [30, 60, 120, 240, 480, 600, 600]


def test_three_successes_in_a_row_make_it_active_again() -> None:
    state = health.succeeded(health.succeeded(degraded(), now=NOW + MINUTE), now=NOW + 2 * MINUTE)
    assert (state.state, state.not_before) == ("degraded", NOW + 2 * MINUTE + 30 * SECOND)
    again = health.succeeded(state, now=NOW + 3 * MINUTE)
    assert (again.state, again.since, again.why) == ("active", NOW + 3 * MINUTE, None)
    assert (again.probe_us, again.window) == (0, ())


def test_a_failure_among_the_probes_begins_the_count_anew() -> None:
    state = health.succeeded(health.succeeded(degraded(), now=NOW + MINUTE), now=NOW + 2 * MINUTE)
    state = health.failed(state, event=1, now=NOW + 3 * MINUTE)
    state = health.succeeded(health.succeeded(state, now=NOW + 4 * MINUTE), now=NOW + 5 * MINUTE)
    assert state.state == "degraded"


def test_auto_pause_works_after_five_days_without_a_success() -> None:
    times = [NOW + 2 * HOUR * each for each in range(61)]
    state = failing(health.new(NOW), times[:-1])
    assert state.state == "degraded"
    last = health.failed(state, event=1, now=times[-1])
    assert (last.state, last.why) == ("paused", "no-success-for-5-days")


def test_failures_within_less_than_twelve_hours_do_not_pause() -> None:
    late = NOW + 30 * DAY
    state = failing(health.new(NOW), [late + HOUR * each for each in range(12)])
    assert state.state == "degraded"
    assert health.failed(state, event=1, now=late + 12 * HOUR).state == "paused"


def test_failures_of_fewer_than_ten_events_do_not_pause() -> None:
    assert failing(health.new(NOW), [NOW + HOUR * each for each in range(400)], events=9).state == "degraded"


def test_a_success_puts_the_pause_off() -> None:
    state = failing(health.new(NOW), [NOW + HOUR * each for each in range(100)])
    state = health.succeeded(state, now=NOW + 100 * HOUR)
    assert failing(state, [NOW + HOUR * each for each in range(101, 210)]).state != "paused"


def test_what_is_paused_or_disabled_is_left_by_an_operator_only() -> None:
    for state in (health.paused(degraded(), why="why", now=NOW), health.disabled(degraded(), why="why", now=NOW)):
        tried = health.failed(state, event=1, now=NOW + DAY)
        for _ in range(9):
            tried = health.succeeded(tried, now=NOW + DAY)
        assert (tried.state, tried.why) == (state.state, "why")
        resumed = health.resumed(tried, now=NOW + DAY)
        assert (resumed.succeeded_at, resumed.failed_at) == (NOW + DAY, NOW + DAY)
        assert replace(resumed, succeeded_at=None, failed_at=None) == health.new(NOW + DAY)


def test_who_is_stopped_by_an_operator_stands_since_then() -> None:
    paused = health.stopped(degraded(), state="paused", why="they move", now=NOW + HOUR)
    assert (paused.state, paused.why, paused.since) == ("paused", "they move", NOW + HOUR)
    again = health.stopped(paused, state="paused", why="they still move", now=NOW + DAY)
    assert (again.why, again.since) == ("they still move", NOW + HOUR)
    assert health.stopped(paused, state="disabled", why="gone", now=NOW + DAY).since == NOW + DAY


def test_the_attempts_of_the_last_five_minutes_are_counted_whenever_somebody_looks() -> None:
    state = health.succeeded(failing(health.new(NOW), [NOW, NOW + MINUTE]), now=NOW + 2 * MINUTE)
    assert health.lately(state, now=NOW + 2 * MINUTE) == (1, 2)
    assert health.lately(state, now=NOW + 5 * MINUTE) == (1, 1)
    assert health.lately(state, now=NOW + HOUR) == (0, 0)


def test_a_disabled_endpoint_is_not_made_paused() -> None:
    state = health.disabled(health.new(NOW), why="gone", now=NOW)
    assert health.paused(state, why="operator", now=NOW + 1) == state
    assert health.disabled(health.paused(health.new(NOW), why="x", now=NOW), why="gone", now=NOW + 1).state == (
        "disabled"
    )


def test_resuming_what_is_not_held_changes_nothing() -> None:
    assert health.resumed(degraded(), now=NOW + DAY) == degraded()


def test_what_a_receiver_asked_for_never_moves_back() -> None:
    state = health.put_off(health.new(NOW), not_before=9, slowed_until=9)
    assert health.put_off(state, not_before=5, slowed_until=5) == state


def test_each_change_of_state_is_told_by_its_name() -> None:
    new = health.new(NOW)
    ill = degraded()
    held = health.paused(ill, why="x", now=NOW)
    gone = health.disabled(new, why="x", now=NOW)
    assert health.told(new.state, replace(new, failures=1).state) is None
    assert health.told(new.state, ill.state) == "endpoint.degraded"
    assert health.told(ill.state, new.state) == "endpoint.recovered"
    assert health.told(ill.state, held.state) == "endpoint.paused"
    assert health.told(held.state, new.state) == "endpoint.resumed"
    assert health.told(new.state, gone.state) == "endpoint.disabled"


steps = st.lists(st.tuples(st.booleans(), st.integers(1, 40), st.integers(0, 2 * 3_600)), max_size=200)


@given(steps)
def test_the_row_stays_small_and_the_counts_are_those_of_a_full_record(taken: list[tuple[bool, int, int]]) -> None:
    state, now, record = health.new(NOW), NOW, []
    for is_good, event, seconds in taken:
        now += seconds * SECOND
        state = health.succeeded(state, now=now) if is_good else health.failed(state, event=event, now=now)
        record.append((now, is_good, event))
        run: list[int] = []
        for _, good, each in record:
            run = [] if good else [*run, each]
        assert state.failures == len(run)
        assert len(state.failed_events) == min(len(set(run)), health.EVENTS_TO_PAUSE)
        assert len(state.window) <= health.SLICES
        if state.since == NOW:
            oldest = now // health.SLICE_US - health.SLICES
            recent = [good for at, good, _ in record if at // health.SLICE_US > oldest]
            assert sum(each[1] for each in state.window) == recent.count(True)
            assert sum(each[2] for each in state.window) == recent.count(False)
