from __future__ import annotations

import json

import pytest

from tidings.errors import MalformedError
from tidings.events.codec import encode_json
from tidings.operations.rows import read_cursor, read_value, row_object, write_cursor
from tidings.store.rows import Column, Rank, Row

COLUMNS = (
    Column("name", "text"),
    Column("count", "integer"),
    Column("open", "boolean"),
    Column("share", "real", nullable=True),
    Column("raw", "blob"),
    Column("at", "time"),
    Column("price", "decimal"),
    Column("tags", "json"),
)
ROW = Row(("a/ü", 2, 1, None, b"\x00\xff", 1_600_000_000_500_000, "1.50", '["x","y"]'), Rank(5, 0, 0, -3), 9)
KEY = ("name", "count", "open", "raw", "at")


def test_a_row_is_shown_by_its_declared_kinds() -> None:
    assert json.loads(encode_json(row_object(COLUMNS, ROW))) == {
        "name": "a/ü",
        "count": 2,
        "open": True,
        "share": None,
        "raw": "AP8=",
        "at": "2020-09-13T12:26:40.500000Z",
        "price": "1.50",
        "tags": ["x", "y"],
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", "", ""),
        ("count", "-7", -7),
        ("open", "true", True),
        ("share", "0.5", 0.5),
        ("raw", "AP8=", b"\x00\xff"),
        ("at", "2020-09-13T14:26:40.5+02:00", 1_600_000_000_500_000),
        ("price", "1.50", "1.50"),
    ],
)
def test_a_text_in_a_url_is_read_by_the_columns_kind(name: str, text: str, value: object) -> None:
    assert read_value(next(column for column in COLUMNS if column.name == name), text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("count", "x"), ("count", "9223372036854775808"), ("count", "1" * 30),
     ("count", "1_0"), ("count", "+1"), ("count", " 1"),
     ("open", "1"), ("share", "x"), ("share", "nan"), ("raw", "?"),
     ("at", "yesterday"), ("tags", "[]")],
)  # fmt: skip
def test_a_text_that_is_no_value_of_its_column_is_refused(name: str, text: str) -> None:
    with pytest.raises(MalformedError, match=name):
        read_value(next(column for column in COLUMNS if column.name == name), text)


def test_a_cursor_leads_back_to_its_key() -> None:
    key = ("a/ü", 2, True, b"\x00\xff", 1_600_000_000_500_000)
    assert read_cursor(write_cursor(key), COLUMNS, KEY) == key


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "é",
        "?",
        "AAAA",
        write_cursor(("x",)),
        write_cursor((1, 2, True, b"", 0)),
        write_cursor(("a", "2", True, b"", 0)),
    ],
)
def test_a_cursor_of_something_else_is_refused(cursor: str) -> None:
    with pytest.raises(MalformedError, match="after"):
        read_cursor(cursor, COLUMNS, KEY)
