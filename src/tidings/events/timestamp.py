"""Timestamps as RFC 3339 writes them, and as we order them: microseconds since 1970 (UTC)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from tidings.errors import EnvelopeError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z
LAST_US = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z, the last time that can be written."""
_REMEMBERED_MAX = 64  # characters; a fraction may have any number of digits, and strangers choose what is remembered
_HOUR = "(?:[01][0-9]|2[0-3])"
_RFC_3339 = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_HOUR}:[0-9]{{2}}:([0-9]{{2}})(?:\.[0-9]+)?(?:[Zz]|[+-]{_HOUR}:[0-5][0-9])"
)


def time_us(text: str) -> int:
    """Return the microseconds since 1970 (UTC) of an RFC 3339 timestamp; digits beyond them are cut off.

    Second 60 is the first of the next minute. EnvelopeError if the text is no timestamp with an offset, or not of the
    years 1 to 9999 in UTC.
    """
    return _time_us_remembered(text) if len(text) <= _REMEMBERED_MAX else _time_us(text)


def _time_us(text: str) -> int:
    found = _RFC_3339.fullmatch(text)
    if found is None:
        raise _refused(text)
    leap = found[1] == "60"
    plain = text[:17] + "59" + text[19:] if leap else text
    try:
        past = datetime.fromisoformat(plain.upper()) - _EPOCH
    except ValueError:
        raise _refused(text) from None
    us = (past.days * 86_400 + past.seconds + leap) * 1_000_000 + past.microseconds
    if not _FIRST_US <= us <= LAST_US:  # an offset can lead out of the years that UTC can be written in
        why = "the time lies outside of the years 1 to 9999 in UTC"
        raise EnvelopeError(f"time: {why}: {text[:64]!r}", errors=[("/time", why)])
    return us


def time_text(us: int) -> str:
    """Return the RFC 3339 text, in UTC, of a time of the years 1 to 9999 in microseconds since 1970."""
    second, fraction = divmod(us, 1_000_000)
    return f"{_second_text(second)}.{fraction:06d}Z"


_time_us_remembered = lru_cache(maxsize=8192)(_time_us)


@lru_cache(maxsize=256)
def _second_text(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19]


def _refused(text: str) -> EnvelopeError:
    why = "expected an RFC 3339 timestamp with an offset, such as 2026-05-04T10:11:12.5Z"
    return EnvelopeError(f"time: {why}, not {text[:64]!r}", errors=[("/time", why)])
