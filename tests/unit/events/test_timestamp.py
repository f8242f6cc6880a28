from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import EnvelopeError
from tidings.events.timestamp import time_text, time_us

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01t00:00:00.1z", 100_000),
        ("1970-01-01T00:00:00.1234567899Z", 123_456),
        ("1970-01-01T01:30:00+01:30", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1969-12-31T23:59:59.5Z", -500_000),
        ("1970-01-01T23:59:60Z", DAY),
        ("1970-01-01T23:59:60.25Z", DAY + 250_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_a_timestamp_is_the_microseconds_since_1970(text: str, us: int) -> None:
    assert time_us(text) == us


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1700000000",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00+01",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01:60",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-W01-1T00:00:00Z",
        "20260101T000000Z",
        "0000-01-01T00:00:00Z",
        "२०२६-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "\ud8002026-01-01T00:00:00Z",
    ],
)
def test_anything_else_is_refused_in_the_callers_words(text: str) -> None:
    with pytest.raises(
        EnvelopeError, match="time: expected an RFC 3339 timestamp with an offset, such as 2026-05-04"
    ) as found:
        time_us(text)
    assert found.value.errors[0][0] == "/time"


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_as_the_same_time(moment: datetime) -> None:
    us = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert time_us(time_text(us)) == us
    assert datetime.fromisoformat(time_text(us)) == moment


@given(
    st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 2 < moment.year < 9998),
    st.integers(min_value=-1439, max_value=1439),
)
def test_the_offset_is_taken_away(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert time_us(aware.isoformat()) == (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.+Z-]{8,20}", fullmatch=True))
def test_no_text_raises_anything_but_our_error(text: str) -> None:
    try:
        time_us(text)
    except EnvelopeError:
        return
    assert text[4] == "-"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z"])
def test_a_timestamp_that_lies_outside_of_the_years_is_told_so(text: str) -> None:
    with pytest.raises(EnvelopeError, match="outside of the years 1 to 9999 in UTC"):
        time_us(text)
