"""Records are put together, found, taken out and cut into slices as one value."""

from __future__ import annotations

from random import Random

import pytest

from tidings.backends.sqlite.seen_record import (
    RECORD_BYTES,
    cut,
    find_in,
    keys_of,
    number_of,
    numbers_of,
    records_of,
    split,
    without,
)

COUNTS = (0, 1, 127, 128, 129, 1_000)


def some_keys(count: int) -> list[bytes]:
    draw = Random(count)
    return [draw.randbytes(16) for _ in range(count)]


@pytest.mark.parametrize("count", COUNTS)
def test_every_key_is_found_with_its_position(count: int) -> None:
    keys = some_keys(count)
    records = records_of(keys, range(1, count + 1))
    assert len(records) == count * RECORD_BYTES
    assert [find_in(records, key) for key in keys] == list(range(1, count + 1))
    assert find_in(records, b"x" * 16) is None
    assert keys_of(records) == [record[:16] for record in split(records)] == keys
    assert numbers_of(records) == [number_of(key) for key in keys]


def test_bytes_that_stand_across_a_key_and_what_follows_are_not_found() -> None:
    key = b"k" * 8 + (5).to_bytes(8, "big")
    records = records_of([b"0" * 8 + b"k" * 8], [5])
    assert key in records
    assert find_in(records, key) is None
    assert find_in(records + records_of([key], [6]), key) == 6


def test_what_is_left_without_some_keys_is_the_others() -> None:
    keys = some_keys(200)
    left = without(records_of(keys, range(200)), frozenset(keys[::2]))
    assert left == records_of(keys[1::2], range(1, 200, 2))


@pytest.mark.parametrize(("slices", "first", "count"), [(1, 0, 1), (8, 0, 8), (64, 16, 8)])
def test_records_are_cut_into_equal_ranges_of_keys(slices: int, first: int, count: int) -> None:
    width = (1 << 64) // slices
    keys = [key for key in some_keys(2_000) if first <= number_of(key) // width < first + count]
    found = cut(records_of(keys, range(len(keys))), slices=slices, first=first, count=count)
    assert len(found) == count
    for n, records in enumerate(found, first):
        assert keys_of(records) == [key for key in keys if number_of(key) // width == n]
