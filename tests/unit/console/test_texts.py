from __future__ import annotations

import pytest

from tidings.console.texts import line_of, lines_of, moment, span
from tidings.faces.visible import visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode مريم 日本 🎉", "plain ünïcode مريم 日本 🎉"),
        ("a\x00b\x1b[31m\x7f\x9b", r"a\u0000b\u001b[31m\u007f\u009b"),
        ("safe\u202egnp.exe", r"safe\u202egnp.exe"),
        ("\u2066x\u2069 \u200b \ufeff \u00ad", r"\u2066x\u2069 \u200b \ufeff \u00ad"),
        ("one\ntwo\ttabs\r", r"one\u000atwo\u0009tabs\u000d"),
        ("\U000e0041\ud800", r"\U000e0041\ud800"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_stay_lines() -> None:
    assert visible_lines("one\n\ttwo\u202e") == "one\n\\u0009two\\u202e"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (0.25, "0.2 s"), (9.96, "10.0 s"), (59, "59 s"), (60, "1 min"), (7_199, "1 h"), (200_000, "2 d")],
)
def test_how_long_something_lasts_is_told_in_its_largest_unit(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_a_time_is_told_to_the_millisecond() -> None:
    assert moment(1_600_000_000_123_999) == "2020-09-13 12:26:40.123"


def test_data_is_one_line_in_tables_and_indented_on_its_own_page() -> None:
    assert line_of(None) == ""
    assert line_of(b'{"a":\n  1}') == '{"a": 1}'
    long = line_of(b'"' + b"x" * 100_000 + b'"')
    assert (len(long), long[-1]) == (141, "…")
    assert line_of("é".encode() * 500).startswith("éé")
    assert lines_of(b'{"a":[1]}') == ('{\n  "a": [\n    1\n  ]\n}', False)
    assert lines_of(b"\xff\x00no json") == ("\ufffd\\u0000no json", False)
    text, is_cut = lines_of(b'"' + b"x" * 200_000 + b'"')
    assert (len(text), is_cut) == (65_536, True)
