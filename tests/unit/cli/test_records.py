from __future__ import annotations

import logging
import sys

from tidings.cli.records import OneLine


def record(message: str, *, error: Exception | None = None) -> logging.LogRecord:
    information = None
    if error is not None:
        try:
            raise error
        except Exception:
            information = sys.exc_info()
    return logging.LogRecord("tidings.app", logging.ERROR, "app.py", 1, message, (), information)


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    text = OneLine().format(record("one\ntwo\r\nthree"))
    assert "\n" not in text
    assert "\r" not in text
    assert text.endswith("ERROR tidings.app: one\\ntwo\\r\\nthree")


def test_an_error_is_told_on_the_same_line_with_its_place() -> None:
    text = OneLine().format(record("it failed", error=ValueError("no\nway")))
    assert "\n" not in text
    assert ": it failed: ValueError: no\\nway (" in text
    assert "test_records.py, line " in text
