"""When a scope runs: every so often, or at the times that cron would name, in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from cronsim import CronSim, CronSimError

from tidings.errors import DeclarationError
from tidings.ports import utc
from tidings.reconciliation.rules.facts import SPAN_MAX, micros
from tidings.views.columns import microseconds

Every: TypeAlias = timedelta | str
"""From the start of one run to the start of the next, or five fields as cron has them, such as `0 3 * * *`, in UTC."""

FIELDS = 5
"""Where there are six, some put seconds first and some put years last."""

JITTER = 0.1
"""By which share starts differ, so that scopes do not march in step."""

LATE_US = 300_000_000
"""By how much a time that cron names is passed at most."""


def checked_every(every: Every, what: str) -> Every:
    """Return it, once it is known that it has a next time. DeclarationError. `what`: as the caller names it."""
    if isinstance(every, timedelta) and timedelta(0) < every <= SPAN_MAX:
        return every
    if not isinstance(every, str):
        given = f"{every}" if isinstance(every, timedelta) else f"{every!r:.80}"
        raise DeclarationError(
            f"{what}={given} is no time between two runs: write timedelta(minutes=10), at most ten years, or when they "
            "start, as cron says it, '0 3 * * *'"
        )
    try:
        if len(every.split()) != FIELDS:
            raise CronSimError("it has not five fields")
        next(CronSim(every, datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        why = error or "it has no next time"
        raise DeclarationError(
            f"{what}={every!r:.80} is no cron schedule ({why}): write timedelta(minutes=10), or five fields, such as "
            "'0 3 * * *'"
        ) from error
    return every


def start_after(every: Every, now: int, lot: float) -> int:
    """Return when the next run starts, µs since 1970. `lot`: from 0 to 1, drawn anew for each.

    An interval is a tenth shorter or longer. A time that cron names is kept or passed by up to a tenth of what lies
    between it and the next one, at most five minutes: whoever names a time means not before it.
    """
    if isinstance(every, timedelta):
        return now + int(micros(every) * (1 + JITTER * (2 * lot - 1)))
    times = CronSim(every, utc(now))
    first, second = microseconds(next(times)), microseconds(next(times))
    return first + int(min((second - first) * JITTER, LATE_US) * lot)


def is_kept(start: int, every: Every, now: int) -> bool:
    """Say whether a start that was set is one that this schedule sets: it may have been another one then."""
    return start <= start_after(every, now, 1.0)


def period_of(every: Every, now: int) -> int:
    """Return how far apart two starts are, µs; of times that cron names, those that come next."""
    if isinstance(every, timedelta):
        return micros(every)
    times = CronSim(every, utc(now))
    first, second = next(times), next(times)
    return microseconds(second) - microseconds(first)


def is_due_at_first(every: Every) -> bool:
    """Say whether a scope that never ran runs at once: cron names times, an interval does not."""
    return isinstance(every, timedelta)
