"""Times, and how long something is, as they are written on the command line."""

from __future__ import annotations

import re
from typing import overload

from tidings.errors import CallerError, EnvelopeError
from tidings.events.timestamp import time_us

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@overload
def time_of(option: str, text: str) -> int: ...
@overload
def time_of(option: str, text: str | None) -> int | None: ...


def time_of(option: str, text: str | None) -> int | None:
    """Return what was given for `option`, in µs since 1970; None if nothing was. CallerError for what is no time."""
    try:
        return None if text is None else time_us(text)
    except EnvelopeError as error:
        raise CallerError(f"{option}: {str(error).removeprefix('time: ')}") from None


def day_or_time_of(option: str, text: str | None) -> int | None:
    """Return the same of what may be a day, which begins at midnight in UTC. CallerError."""
    if text is None:
        return None
    try:
        return time_us(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    except EnvelopeError:
        accepted = "write a day, as 2027-03-01, or a time in RFC 3339, as 2027-03-01T12:00:00Z"
        raise CallerError(f"{option}: {accepted}, not {text[:64]!r}") from None


def seconds_of(option: str, text: str | None) -> float | None:
    """Return the seconds of a duration, as 600, 90s, 10m, 2h or 1d; None if nothing was given. CallerError."""
    if text is None:
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        raise CallerError(f"{option}: write seconds, or a number with s, m, h or d, as 10m, not {text[:64]!r}")
    return float(found[1]) * _SECONDS[found[2]]
