from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.reconciliation.kept.coding import Mirrored, key_place, place_key, proof_bytes, proof_of, text_keys
from tidings.reconciliation.rules.places import START, Range
from tidings.reconciliation.rules.proofs import Proof
from tidings.store.rows import Rank

TEXTS = st.text(st.characters(codec="utf-8"), max_size=4)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
PAIRS = st.tuples(NUMBERS, TEXTS)
PLACES = st.one_of(st.tuples(TEXTS), PAIRS)


@settings(deadline=None)
@given(st.lists(PAIRS, max_size=8))
def test_keys_of_places_are_in_their_order(places: list[tuple[int, str]]) -> None:
    # Text is in the order of its UTF-8, which is that of its characters.
    assert sorted(places) == [key_place(key) for key in sorted(map(place_key, places))]


@settings(deadline=None)
@given(PLACES)
def test_a_place_is_read_back_from_its_key(place: tuple[int | str, ...]) -> None:
    assert key_place(place_key(place)) == place


@settings(deadline=None)
@given(st.lists(TEXTS))
def test_the_keys_of_many_texts_are_those_of_each(texts: list[str]) -> None:
    assert text_keys(texts) == [place_key((each,)) for each in texts]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_a_text_that_begins_another_comes_before_it(one: str, other: str) -> None:
    assert (place_key((one,)) < place_key((other,))) == (one < other)


def test_what_is_kept_is_read_back() -> None:
    held = Mirrored("k\x00é", b"at", Rank(-(2**63), 1, 1, 2**63 - 1))
    assert Mirrored.of(b"at", held.kept()) == held
    for end in (None, (3, "z")):
        proof = Proof(Range(START, end), 7, frozenset({"s:a"}), frozenset({"s:a", "f:b"}), False)
        assert proof_of(proof_bytes(proof)) == proof
