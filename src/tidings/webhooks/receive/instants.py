"""Times as senders write them, in microseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from tidings.errors import EnvelopeError
from tidings.events.timestamp import time_text, time_us
from tidings.webhooks.receive.places import Unit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DIGITS_MAX = 14
_PER_UNIT = {"s": 1_000_000, "ms": 1_000}


def instant_us(text: str, unit: Unit) -> int | None:
    """Return the microseconds since 1970 of a time; None if it is not written in this unit.

    Seconds and milliseconds are at most 14 ASCII digits: no sign, fraction or space.
    """
    if unit == "rfc3339":
        try:
            return time_us(text)
        except EnvelopeError:
            return None
    return _number_us(text, unit) if len(text) <= _DIGITS_MAX else None


@lru_cache(maxsize=256)  # what comes within a second mostly says the same one
def _number_us(text: str, unit: Unit) -> int | None:
    return int(text) * _PER_UNIT[unit] if text.isdigit() and text.isascii() else None


def instant_text(at: datetime, unit: Unit) -> str:
    """Return how a time is written in this unit; digits beyond it are cut off."""
    us = us_of(at)
    return time_text(us) if unit == "rfc3339" else str(us // _PER_UNIT[unit])


def us_of(at: datetime) -> int:
    """Return the microseconds since 1970 of a time with an offset."""
    return (at - _EPOCH) // _MICROSECOND
