"""What a value is when it is bound, and who says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from types import NoneType

import pytest

from tidings.backends.sqlite.binding import spare_looks

VALUES = [None, b"", b"\x00\xff", 1, 1.5, "x", bytearray(b"y")]


@pytest.fixture(autouse=True)
def adapters() -> Iterator[dict[object, object]]:
    kept = dict(sqlite3.adapters)
    for kind in (NoneType, bytes):
        sqlite3.adapters.pop((kind, sqlite3.PrepareProtocol), None)
    yield sqlite3.adapters
    sqlite3.adapters.clear()
    sqlite3.adapters.update(kept)


def read_back() -> list[object]:
    connection = sqlite3.connect(":memory:")
    [row] = connection.execute(f"SELECT {', '.join('?' * len(VALUES))}", VALUES).fetchall()
    connection.close()
    return list(row)


def test_a_value_is_kept_as_before() -> None:
    before = read_back()
    spare_looks()
    assert read_back() == before == [*VALUES[:-1], b"y"]
    assert [type(value) for value in read_back()] == [type(value) for value in before]


def test_no_method_of_none_and_of_bytes_is_looked_for(adapters: dict[object, object]) -> None:
    spare_looks()
    assert {kind for kind, _ in sqlite3.adapters} >= {NoneType, bytes}


def test_what_an_application_registered_stays(adapters: dict[object, object]) -> None:
    sqlite3.register_adapter(bytes, bytes.hex)
    spare_looks()
    assert read_back()[1:3] == ["", "00ff"]
