"""Two sides that ask each other: what they find, what that costs, and what they refuse."""

from __future__ import annotations

import random
from functools import lru_cache
from math import ceil, log

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.errors import MalformedError, RefusedError
from tidings.fingerprints.frames import FRAME_BYTES, LEAF, LEVELS_MAX, Cut, Frame, Leaf, read, written
from tidings.fingerprints.peers import WAYS, Differing, Peer
from tidings.fingerprints.rows import Fingerprint, RowHash
from tidings.fingerprints.sheet import Sheet, separator

SECRET = b"the key1"
ROWS = st.dictionaries(st.binary(max_size=6), st.integers(0, 2**128 - 1), max_size=300)


def sheet(rows: dict[bytes, int]) -> Sheet:
    return Sheet(sorted(rows.items()))


def compare(ours: dict[bytes, int], theirs: dict[bytes, int]) -> tuple[Peer, Peer, int, int]:
    """Return both sides at the end, the round trips and the bytes."""
    asking, asked = Peer(sheet(ours), SECRET), Peer(sheet(theirs), SECRET)
    message, trips, size = asking.opening(), 0, 0
    while message:
        answer = asked.answer(message)
        trips, size = trips + 1, size + sum(map(len, message + answer))
        assert all(len(frame) <= FRAME_BYTES for frame in message + answer)
        message = asking.answer(answer)
    return asking, asked, trips, size


def hashed(rows: dict[bytes, int]) -> dict[bytes, int]:
    """Return rows with hashes in which their keys are, so that two of different keys never have the same."""
    return {key: RowHash(bytes(16))(key, state.to_bytes(16)) for key, state in rows.items()}


def true_differences(ours: dict[bytes, int], theirs: dict[bytes, int]) -> dict[bytes, Differing]:
    return {
        key: Differing(key, ours.get(key), theirs.get(key))
        for key in ours.keys() | theirs.keys()
        if ours.get(key) != theirs.get(key)
    }


@given(ROWS, ROWS)
def test_two_tables_that_have_nothing_in_common_are_told_apart_row_by_row(
    ours: dict[bytes, int], theirs: dict[bytes, int]
) -> None:
    ours, theirs = hashed(ours), hashed(theirs)
    asking, asked, _, _ = compare(ours, theirs)
    assert asking.differing == true_differences(ours, theirs)
    assert asked.differing == true_differences(theirs, ours)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([0, 1, LEAF - 1, LEAF, 300, 2_000]), st.integers(0, 60), st.integers(0, 2**32))
def test_the_differences_found_are_exactly_the_true_ones(size: int, changes: int, seed: int) -> None:
    chance = random.Random(seed)
    ours = {chance.randbytes(chance.randint(0, 9)): chance.getrandbits(128) for _ in range(size)}
    theirs = dict(ours)
    for _ in range(changes):
        key = chance.choice([*ours, b"only there"])
        if chance.random() < 0.3:
            theirs.pop(key, None)
        else:
            theirs[key + b"+" if chance.random() < 0.3 else key] = chance.getrandbits(128)
    asking, asked, _, _ = compare(ours, theirs)
    assert asking.differing == true_differences(ours, theirs)
    assert asked.differing == true_differences(theirs, ours)


@lru_cache(maxsize=1)
def hundred_thousand() -> dict[bytes, int]:
    chance = random.Random(7)
    return {chance.randbytes(16): chance.getrandbits(128) for _ in range(100_000)}


def trips_of(rows: int) -> int:
    levels = ceil(log(rows / LEAF, WAYS)) + 1
    return ceil((levels + 1) / 2)


@pytest.mark.parametrize(("differences", "trips", "kib"), [(0, 1, 0.4), (1, 3, 2.7), (100, 3, 188), (1_000, 3, 1_474)])
def test_costs_match_the_table(differences: int, trips: int, kib: float) -> None:
    """Of 100,000 rows with keys of 16 bytes; the benchmark `fingerprints` prints those of a million."""
    rows = hundred_thousand()
    other = rows | dict.fromkeys(random.Random(differences).sample(list(rows), differences), 0)
    asking, _, found_trips, size = compare(rows, other)
    assert len(asking.differing) == differences
    assert found_trips == trips
    assert differences == 0 or trips == trips_of(len(rows))
    assert size / 1024 == pytest.approx(kib, rel=0.1)


def test_collation_is_binary() -> None:
    """Neither case nor accents nor length decide where a key stands, as they would by the rules of a language."""
    keys = ["a", "B", "Z", "b", "é", "z", "\U0001f600", "￰"]
    assert Sheet((key.encode(), 0) for key in sorted(keys)).fingerprint(b"", None).rows == len(keys)
    with pytest.raises(RefusedError, match="not in the order of their keys' bytes"):
        Sheet([(b"a", 0), (b"B", 0)])
    with pytest.raises(RefusedError, match="not in the order"):
        Sheet([(b"a", 0), (b"a", 0)])


def test_a_key_that_would_fill_a_frame_is_refused() -> None:
    with pytest.raises(RefusedError, match="2,000 bytes"):
        Sheet([(b"k" * 2_000, 0)])


@given(st.binary(max_size=5), st.binary(max_size=5))
def test_a_separator_is_above_the_one_and_not_above_the_other(one: bytes, other: bytes) -> None:
    below, above = sorted((one, other))
    if below != above:
        assert below < separator(below, above) <= above


def test_a_message_of_many_ranges_takes_several_frames() -> None:
    cuts = [Cut.of(b"%06d" % n, b"%06d" % (n + 1), [], [Fingerprint(n, n)]) for n in range(9_000)]
    frames = written(SECRET, 1, cuts)
    assert len(frames) > 1
    assert sum(len(read(frame, SECRET).cuts) for frame in frames) == len(cuts)


ONE = Cut(b"", None, b"", (), (1,), bytes(16))
HOSTILE = {
    "is no frame": b"\xc1",
    "too long": bytes(FRAME_BYTES + 1),
    "another key": Frame(b"other", 1, (ONE,), ()),
    "too deep": Frame(SECRET, LEVELS_MAX + 1, (ONE,), ()),
    "no level": Frame(SECRET, 0, (ONE,), ()),
    "too many ranges": Frame(
        SECRET, 1, (), tuple(Leaf(n.to_bytes(2), (n + 1).to_bytes(2), False, b"", (), b"") for n in range(4_097))
    ),
    "bounds that fall": Frame(SECRET, 1, (Cut(b"", None, b"", (b"b", b"a"), (1, 1, 1), bytes(48)),), ()),
    "bounds that stand still": Frame(SECRET, 1, (Cut(b"", None, b"", (b"a", b"a"), (1, 1, 1), bytes(48)),), ()),
    "an end before its start": Frame(SECRET, 1, (Cut(b"b", b"a", b"", (), (1,), bytes(16)),), ()),
    "a bound outside": Frame(SECRET, 1, (Cut(b"a", b"b", b"", (b"c",), (1, 1), bytes(32)),), ()),
    "ranges that overlap": Frame(SECRET, 1, (ONE, ONE), ()),
    "a fingerprint too few": Frame(SECRET, 1, (Cut(b"", None, b"", (b"a",), (1, 1), bytes(16)),), ()),
    "a fingerprint cut short": Frame(SECRET, 1, (Cut(b"", None, b"", (), (1,), bytes(15)),), ()),
    "less than no rows": Frame(SECRET, 1, (Cut(b"", None, b"", (), (-1,), bytes(16)),), ()),
    "more rows than can be": Frame(SECRET, 1, (Cut(b"", None, b"", (), (2**31,), bytes(16)),), ()),
    "a bound too long": Frame(SECRET, 1, (Cut(b"a" * 1_025, None, b"", (), (1,), bytes(16)),), ()),
    "keys that fall": Frame(SECRET, 1, (), (Leaf(b"", None, True, b"", (b"b", b"a"), bytes(32)),)),
    "a key outside": Frame(SECRET, 1, (), (Leaf(b"a", b"b", True, b"", (b"c",), bytes(16)),)),
    "a leaf of a whole table": Frame(
        SECRET, 1, (), (Leaf(b"", None, True, b"", tuple(b"%04d" % n for n in range(LEAF)), bytes(16 * LEAF)),)
    ),
    "a hash too few": Frame(SECRET, 1, (), (Leaf(b"", None, True, b"", (b"a", b"b"), bytes(16)),)),
    "a whole table asked for row by row": Frame(SECRET, 1, (), (Leaf(b"", None, True, b"", (), b""),)),
    "a number for a range": msgspec.msgpack.encode((SECRET, 1, [7], [])),
    "another form": msgspec.msgpack.encode({"level": 1}),
    "something behind it": msgspec.msgpack.encode(Frame(SECRET, 1, (ONE,), ())) + b"\x00",
    "one member more": msgspec.msgpack.encode((SECRET, 1, [], [], 5)),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_frames_are_refused(what: str) -> None:
    said = HOSTILE[what]
    frame = said if isinstance(said, bytes) else msgspec.msgpack.encode(said)
    peer = Peer(sheet({b"%04d" % n: n for n in range(100)}), SECRET)
    with pytest.raises(MalformedError):
        peer.answer([frame])
    assert peer.differing == {}


def test_of_a_message_with_one_bad_frame_nothing_is_learned() -> None:
    peer = Peer(sheet({b"a": 1}), SECRET)
    good = msgspec.msgpack.encode(Frame(SECRET, 1, (), (Leaf.of(b"", None, [(b"a", 2)], asks=False),)))
    with pytest.raises(MalformedError):
        peer.answer([good, b"\xc1"])
    assert peer.differing == {}


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_answered(said: bytes) -> None:
    peer = Peer(sheet({b"%02d" % n: n for n in range(40)}), SECRET)
    try:
        peer.answer([said])
    except MalformedError:
        assert peer.differing == {}
