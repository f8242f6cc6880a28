from __future__ import annotations

import pytest

from tidings.api.rows import etag, read_key
from tidings.errors import NotFoundError
from tidings.store.rows import Column, Rank, Row

COLUMNS = (Column("name", "text"), Column("count", "integer"))
ROW = Row(("a/ü", 2), Rank(5, 0, 0, -3), 9)


def test_a_key_is_one_segment_for_each_of_its_columns() -> None:
    assert read_key(COLUMNS, ("name", "count"), ["a/ü", "2"]) == ("a/ü", 2)
    with pytest.raises(NotFoundError, match="name, count"):
        read_key(COLUMNS, ("name", "count"), ["a/ü"])


def test_a_late_event_changes_the_etag_although_the_rank_stays() -> None:
    late = Row(("b", *ROW.values[1:]), ROW.rank, 10)
    assert etag(1, ROW) != etag(1, late)
    assert etag(1, ROW) != etag(2, ROW)
    assert etag(1, ROW) == etag(1, ROW)
