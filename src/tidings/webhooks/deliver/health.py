"""How an endpoint does: active, degraded, paused or disabled, as a pure function of what became of its attempts.

All of it fits a row. Counts are exact; what they are counted over is small: the events that failed since the last
success are known up to ten, and the last five minutes are ten slices of thirty seconds, the present one included.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

State = Literal["active", "degraded", "paused", "disabled"]
Slice = tuple[int, int, int]
"""Which slice of time, counted from 1970; attempts that succeeded in it; attempts that failed."""
OperationalEvent = Literal[
    "endpoint.degraded", "endpoint.recovered", "endpoint.paused", "endpoint.resumed", "endpoint.disabled"
]

SECOND_US = 1_000_000
FAILURES_IN_A_ROW = 10
EVENTS_IN_A_ROW = 2
WINDOW_ATTEMPTS = 10
WINDOW_PERCENT = 70
SLICE_US = 30 * SECOND_US
SLICES = 10
SUCCESSES_IN_A_ROW = 3
PROBE_FIRST_US = 30 * SECOND_US
PROBE_LAST_US = 600 * SECOND_US
QUIET_US = 5 * 86_400 * SECOND_US
SPAN_US = 12 * 3_600 * SECOND_US
EVENTS_TO_PAUSE = 10
UNANSWERED = "no-success-for-5-days"
IN_A_ROW = "failures-in-a-row"
MOST_FAIL = "most-attempts-fail"
_encode = msgspec.json.Encoder(order="deterministic").encode


class Health(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the row of an endpoint remembers of its attempts. Every time is in µs since 1970.

    `since`: when the state began. `why`: a kebab-case word, of a state that is not active. `not_before`:
    nothing is sent earlier, be it for a probe or for a Retry-After. `slowed_until`: half of the slots until then.
    `quiet_since`: the last success, or else when the endpoint was made or resumed. `failures`: in a row since then,
    `failed_events` the first ten different events (their positions) among them, `first_failed_at` the first of them.
    `succeeded_at`, `failed_at`: the last ones, None before the first. `successes`: in a row while degraded. `probe_us`:
    the gap before the next probe while degraded, else 0. `window`: attempts of five minutes, oldest slice first.
    """

    state: State = "active"
    since: int
    why: str | None = None
    not_before: int = 0
    slowed_until: int = 0
    quiet_since: int
    failures: int = 0
    failed_events: tuple[int, ...] = ()
    first_failed_at: int | None = None
    succeeded_at: int | None = None
    failed_at: int | None = None
    successes: int = 0
    probe_us: int = 0
    window: tuple[Slice, ...] = ()

    def __bytes__(self) -> bytes:
        """Return it as a JSON object."""
        return _encode(self)


def new(now: int) -> Health:
    """Return the health of an endpoint that has just been made."""
    return Health(since=now, quiet_since=now)


def succeeded(health: Health, *, now: int) -> Health:
    """Return what follows from an attempt that succeeded; a paused or disabled endpoint stays what it is."""
    counted = replace(
        health,
        window=_counted(health.window, now, succeeded=1),
        quiet_since=now,
        failures=0,
        failed_events=(),
        first_failed_at=None,
        succeeded_at=now,
    )
    if health.state != "degraded":
        return counted
    if health.successes + 1 >= SUCCESSES_IN_A_ROW:
        return replace(counted, state="active", since=now, why=None, successes=0, probe_us=0, window=())
    return replace(_waiting(counted, PROBE_FIRST_US, now), successes=health.successes + 1)


def failed(health: Health, *, event: int, now: int) -> Health:
    """Return what follows from an attempt that failed. `event`: the position of what it tried to deliver."""
    events = health.failed_events
    if event not in events and len(events) < EVENTS_TO_PAUSE:
        events = (*events, event)
    counted = replace(
        health,
        window=_counted(health.window, now, failed=1),
        failures=health.failures + 1,
        failed_events=events,
        first_failed_at=now if health.first_failed_at is None else health.first_failed_at,
        failed_at=now,
        successes=0,
    )
    if health.state not in ("active", "degraded"):
        return counted
    if _is_given_up(counted, now):
        return paused(counted, why=UNANSWERED, now=now)
    if health.state == "degraded":
        return _waiting(counted, min(health.probe_us * 2, PROBE_LAST_US), now)
    why = _trouble(counted)
    if why is None:
        return counted
    return _waiting(replace(counted, state="degraded", since=now, why=why), PROBE_FIRST_US, now)


def paused(health: Health, *, why: str, now: int) -> Health:
    """Return the health of an endpoint that is sent nothing until it is resumed; a disabled one stays disabled."""
    if health.state in ("paused", "disabled"):
        return health
    return replace(health, state="paused", since=now, why=why, successes=0, probe_us=0)


def disabled(health: Health, *, why: str, now: int) -> Health:
    """Return the health of an endpoint that only an operator may send to again."""
    if health.state == "disabled":
        return health
    return replace(health, state="disabled", since=now, why=why, successes=0, probe_us=0)


def resumed(health: Health, *, now: int) -> Health:
    """Return the health of a paused or disabled endpoint that an operator trusts again: all is counted anew."""
    if health.state not in ("paused", "disabled"):
        return health
    return replace(new(now), succeeded_at=health.succeeded_at, failed_at=health.failed_at)


def stopped(health: Health, *, state: Literal["paused", "disabled"], why: str, now: int) -> Health:
    """Return the health of an endpoint that an operator stops; one that stands already does so since it stopped."""
    if health.state == state:
        return replace(health, why=why)
    return replace(health, state=state, since=now, why=why, successes=0, probe_us=0)


def lately(health: Health, *, now: int) -> tuple[int, int]:
    """Return how many attempts of the last five minutes succeeded, and how many failed."""
    present = now // SLICE_US
    window = [each for each in health.window if present - SLICES < each[0] <= present]
    return sum(each[1] for each in window), sum(each[2] for each in window)


def put_off(health: Health, *, not_before: int, slowed_until: int) -> Health:
    """Return the health with what a receiver asked for; neither time moves back."""
    if not_before <= health.not_before and slowed_until <= health.slowed_until:
        return health
    return replace(
        health,
        not_before=max(health.not_before, not_before),
        slowed_until=max(health.slowed_until, slowed_until),
    )


def told(before: State, after: State) -> OperationalEvent | None:
    """Return the event that tells of the change; None where the state is the same."""
    if before == after:
        return None
    if after == "active":
        return "endpoint.recovered" if before == "degraded" else "endpoint.resumed"
    names: dict[State, OperationalEvent] = {
        "degraded": "endpoint.degraded",
        "paused": "endpoint.paused",
        "disabled": "endpoint.disabled",
    }
    return names[after]


def _trouble(health: Health) -> str | None:
    """Return why an active endpoint is degraded from now on; None: it is not."""
    if health.failures >= FAILURES_IN_A_ROW and len(health.failed_events) >= EVENTS_IN_A_ROW:
        return IN_A_ROW
    failed = sum(each[2] for each in health.window)
    attempts = failed + sum(each[1] for each in health.window)
    is_bad = attempts >= WINDOW_ATTEMPTS and failed * 100 >= WINDOW_PERCENT * attempts
    return MOST_FAIL if is_bad else None


def _is_given_up(health: Health, now: int) -> bool:
    first = now if health.first_failed_at is None else health.first_failed_at
    return (
        now - health.quiet_since >= QUIET_US and now - first >= SPAN_US and len(health.failed_events) >= EVENTS_TO_PAUSE
    )


def _waiting(health: Health, gap_us: int, now: int) -> Health:
    return replace(health, probe_us=gap_us, not_before=max(health.not_before, now + gap_us))


def _counted(window: tuple[Slice, ...], now: int, *, succeeded: int = 0, failed: int = 0) -> tuple[Slice, ...]:
    """Return the window with an attempt more and without what is not of the last five minutes, or of the future."""
    present = now // SLICE_US
    if window and window[-1][0] == present and window[0][0] > present - SLICES:
        *past, before = window
    else:
        past = [each for each in window if present - SLICES < each[0] < present]
        before = next((each for each in window if each[0] == present), (present, 0, 0))
    return (*past, (present, before[1] + succeeded, before[2] + failed))
