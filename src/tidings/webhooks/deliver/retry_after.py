"""`Retry-After` (RFC 9110, section 10.2.3), read by a total function: whatever a receiver sends, nothing is raised."""

from __future__ import annotations

import re
from datetime import UTC, datetime

LONGEST_S = 86_400
_TEXT_MAX = 64
_SECONDS = re.compile(r"[0-9]+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES = (  # RFC 9110, section 5.6.7: IMF-fixdate, the form of RFC 850, that of asctime
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{5,8}}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


def seconds_of(text: str | None, *, now: int) -> int | None:
    """Return the seconds that the header asks for, from 0 to `LONGEST_S`; None where it says nothing that can be read.

    A date that is past is 0. `now`: µs since 1970.
    """
    if text is None or len(text) > _TEXT_MAX:
        return None
    given = text.strip(" \t")
    if given.isascii() and _SECONDS.fullmatch(given):
        return min(int(given), LONGEST_S)
    date = _date_of(given, now // 1_000_000)
    return None if date is None else min(max(0, date - now // 1_000_000), LONGEST_S)


def _date_of(text: str, now_s: int) -> int | None:
    """Return the seconds since 1970 of an HTTP date."""
    found = next((match for form in _DATES if (match := form.fullmatch(text))), None)
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        # More than 50 years ahead is the century before, as the section says.
        present = datetime.fromtimestamp(now_s, tz=UTC).year
        year += present - present % 100
        year -= 100 if year > present + 50 else 0
    month = _MONTHS.index(found["month"]) + 1
    day, hour, minute, second = (int(found[name]) for name in ("day", "hour", "minute", "second"))
    second -= second == 60  # a leap second
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        return None
