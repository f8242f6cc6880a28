"""Rows travel in pieces of few lengths, the last one filled up with repeats that change nothing."""

from __future__ import annotations

import pytest

from tidings.backends.sqlite.statements import filled


@pytest.mark.parametrize("step", [8, 256])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 31, 33, 64, 65, 255, 256, 257, 300])
def test_all_rows_are_there_in_order_and_only_the_last_is_repeated(count: int, step: int) -> None:
    pieces = [list(piece) for piece in filled(range(count), 1, step=step)]
    rows = [row for piece in pieces for row in piece]
    assert rows[:count] == list(range(count))
    assert set(rows[count:]) <= {count - 1}
    assert len(rows) - count < min(step, count)
    assert all(len(piece) % step == 0 or len(piece) & len(piece) - 1 == 0 for piece in pieces)
