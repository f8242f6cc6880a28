"""Hashes and sums of them, against the definition and in a real table."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.fingerprints.rows import MODULUS, Fingerprint, RowHash, fingerprint, limbs, recombined

SECRET = bytes(range(32))
HASHES = st.integers(0, MODULUS - 1)


def test_a_row_is_hashed_with_the_key_over_lengths_and_parts() -> None:
    said = b"\x00\x00\x00\x03o-1\x00\x00\x00\x02{}"
    expected = blake2b(said, key=SECRET, digest_size=16).digest()
    assert RowHash(SECRET)(b"o-1", b"{}") == int.from_bytes(expected)


def test_what_moves_from_the_key_to_the_state_is_another_row() -> None:
    hash = RowHash(SECRET)
    assert hash(b"ab", b"c") != hash(b"a", b"bc")


def test_another_key_has_other_hashes_and_another_id() -> None:
    one, other = RowHash(SECRET), RowHash(SECRET[::-1])
    assert one(b"a", b"b") != other(b"a", b"b")
    assert one.id != other.id
    assert one.id == RowHash(SECRET).id


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="16 to 64 bytes"):
        RowHash(bytes(size))


@given(st.lists(HASHES, max_size=200))
def test_limbs_recombine_mod_2_128(hashes: list[int]) -> None:
    rows = [limbs(each) for each in hashes]
    sums = [sum(row[place] for row in rows) for place in range(4)]
    assert recombined(len(rows), sums) == Fingerprint(len(hashes), sum(hashes) % MODULUS) == fingerprint(hashes)
    assert all(0 <= limb < 2**32 for row in rows for limb in row)


def test_limbs_recombine_from_a_table_where_each_sum_carries() -> None:
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE t (h0 BIGINT, h1 BIGINT, h2 BIGINT, h3 BIGINT)")
    table.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [limbs(MODULUS - 1)] * 1_000)
    count, *sums = table.execute("SELECT count(*), sum(h0), sum(h1), sum(h2), sum(h3) FROM t").fetchone()
    assert recombined(count, sums) == Fingerprint(1_000, -1_000 % MODULUS)


def test_swapped_pairs_do_not_cancel() -> None:
    """Two rows that exchange their states, and a row that is there twice on each side, are nothing to an XOR."""
    hash = RowHash(SECRET)
    there = [hash(b"1", b"x"), hash(b"2", b"y")]
    swapped = [hash(b"1", b"y"), hash(b"2", b"x")]
    assert fingerprint(there) != fingerprint(swapped)
    doubled, other = [hash(b"3", b"z")] * 2, [hash(b"4", b"z")] * 2
    assert doubled[0] ^ doubled[1] == other[0] ^ other[1] == 0
    assert fingerprint(doubled) != fingerprint(other)


@given(st.lists(HASHES), HASHES, HASHES)
def test_a_change_is_a_subtraction_and_an_addition(hashes: list[int], old: int, new: int) -> None:
    before = fingerprint([*hashes, old])
    assert before.minus(fingerprint([old])).plus(fingerprint([new])) == fingerprint([*hashes, new])
