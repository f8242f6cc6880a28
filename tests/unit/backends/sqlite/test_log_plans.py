"""How SQLite finds entries: by the log's own order or by the subject's index, never by looking at all there is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from tidings.backends.sqlite import reading
from tidings.backends.sqlite.entries import BUCKET_BITS
from tidings.backends.sqlite.schema import prepare
from tidings.events.filter import EVERYTHING, Filter


class Explained(sqlite3.Connection):
    """A connection that notes how each query of the log is answered."""

    plans: list[str]

    def execute(self, statement: str, parameters: object = (), /) -> sqlite3.Cursor:  # type: ignore[override]
        if "FROM tidings_log" in statement:
            rows = super().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
            self.plans.append("\n".join(row[3] for row in rows.fetchall()))
        return super().execute(statement, parameters)  # type: ignore[arg-type]


@pytest.fixture
def log() -> Iterator[Explained]:
    connection = sqlite3.connect(":memory:", factory=Explained, isolation_level=None)
    connection.plans = []
    prepare(connection, ":memory:")
    connection.execute("UPDATE tidings_head SET pos = 1000000")
    yield connection
    connection.close()


def test_a_page_is_read_in_the_logs_own_order(log: Explained) -> None:
    reading.page(log, 10, 100, EVERYTHING)
    reading.page(log, 10, 100, Filter(types=frozenset({"a", "b"}), slots=((0, 512),)))
    assert log.plans == ["SEARCH tidings_log USING INTEGER PRIMARY KEY (rowid>?)"] * 2


def test_a_subject_is_read_by_its_index_one_bucket_at_a_time(log: Explained) -> None:
    reading.page(log, 10, 100, Filter(subject="s", types=frozenset({"a"})))
    assert len(log.plans) == (1_000_000 >> BUCKET_BITS) + 1
    for plan in log.plans:
        assert "SEARCH tidings_log USING INTEGER PRIMARY KEY (rowid=?)" in plan
        assert "SEARCH tidings_log_subject USING PRIMARY KEY (bucket=? AND skey=? AND pos>?)" in plan
