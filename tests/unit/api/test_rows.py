from __future__ import annotations

import json

import pytest

from tidings.api.rows import etag, read_cursor, read_key, read_value, row_object, write_cursor
from tidings.errors import MalformedError, NotFoundError
from tidings.events.codec import encode_json
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


def test_a_key_is_one_segment_for_each_of_its_columns() -> None:
    assert read_key(COLUMNS, ("name", "count"), ["a/ü", "2"]) == ("a/ü", 2)
    with pytest.raises(NotFoundError, match="name, count"):
        read_key(COLUMNS, ("name", "count"), ["a/ü"])


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


def test_a_late_event_changes_the_etag_although_the_rank_stays() -> None:
    late = Row(("b", *ROW.values[1:]), ROW.rank, 10)
    assert etag(1, ROW) != etag(1, late)
    assert etag(1, ROW) != etag(2, ROW)
    assert etag(1, ROW) == etag(1, ROW)
