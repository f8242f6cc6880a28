"""Rows in the pieces that statements are made for."""

from __future__ import annotations

import pytest

from tidings.store.scripts.script import MANY, STEP, from_table, pieces


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (3, [4]), (16, [16]), (17, [32]), (46, [48]), (66, [80]), (130, [128, 2])]
)
def test_rows_come_in_few_sizes_with_few_repeats(count: int, sizes: list[int]) -> None:
    found = [*pieces(range(count))]
    assert [len(piece) for piece in found] == sizes
    assert sorted({n for piece in found for n in piece}) == [*range(count)]
    assert sum(sizes) < count + STEP
    assert {len(piece) for n in range(MANY) for piece in pieces(range(n))} <= {1, 2, 4, 8, *range(16, MANY + 1, STEP)}


def test_a_table_of_values_stands_behind_the_values_of_the_statement() -> None:
    columns = (("a", "int"), ("b", "text"))
    text = from_table("UPDATE x SET y = $1, b = {b} FROM {table} WHERE a = {a}", columns, 2, first=2)
    table = "(VALUES ($2::int, $3::text), ($4::int, $5::text)) AS t"
    assert text == f"UPDATE x SET y = $1, b = t.column2 FROM {table} WHERE a = t.column1"
