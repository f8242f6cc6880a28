from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.webhooks.deliver.retry_after import LONGEST_S, seconds_of

NOW = int(datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120\t", 120),
        ("0000000000000000000000000000000000000000000000000000007", 7),
        ("86401", LONGEST_S),
        ("9" * 64, LONGEST_S),
        ("Mon, 04 May 2026 10:01:00 GMT", 60),
        ("Monday, 04-May-26 10:01:00 GMT", 60),
        ("Mon May  4 10:01:00 2026", 60),
        ("Mon, 04 May 2026 09:59:59 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Tue, 04 May 2027 10:01:00 GMT", LONGEST_S),
        ("Mon, 04 May 2026 10:00:60 GMT", 59),
    ],
)
def test_seconds_and_dates_are_read(text: str, seconds: int) -> None:
    assert seconds_of(text, now=NOW) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "-1", "1.5", "1e3", "+7", "٧", "²", "soon", "120, 7", "Mon, 32 May 2026 10:01:00 GMT", "9" * 65,
     "Mon, 04 May 2026 25:01:00 GMT", "Mon, 04 May 0000 10:01:00 GMT", "2026-05-04T10:01:00Z", "\x00"],
)  # fmt: skip
def test_garbage_is_ignored(text: str) -> None:
    assert seconds_of(text, now=NOW) is None


def test_no_header_says_nothing() -> None:
    assert seconds_of(None, now=NOW) is None


@given(st.text(max_size=80))
def test_the_parser_is_total(text: str) -> None:
    found = seconds_of(text, now=NOW)
    assert found is None or 0 <= found <= LONGEST_S


@given(st.integers(0, LONGEST_S))
def test_a_date_is_as_far_away_as_it_says(seconds: int) -> None:
    text = format_datetime(datetime.fromtimestamp(NOW // 1_000_000 + seconds, tz=UTC), usegmt=True)
    assert seconds_of(text, now=NOW) == seconds
