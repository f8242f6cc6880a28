"""A page of a list as columns: the same hashes as row by row, and exactly the rows that differ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.reconciliation.test_copying import LATEST, copying, row
from tidings.reconciliation.copy.copying import UnreadableError
from tidings.reconciliation.copy.showing import Shown, shown
from tidings.reconciliation.kept.coding import Mirrored, place_key
from tidings.reconciliation.listing import Row
from tidings.store.note_store import Alike
from tidings.store.rows import Rank

KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
BENT: list[dict[str, Any]] = [
    {"version": datetime(2026, 1, 1)},  # noqa: DTZ001
    {"version": 7},
    {"version": None},
    {"state": {"amount": 2**63}},
    {"state": {"amount": "much"}},
    {"state": {"order_id": "o-2"}},
]


def item(key: str, amount: int = 5, **changed: Any) -> Row:
    return row(key=key, state={"order_id": key, "amount": amount}, **changed)


def mirror(*rows: Row) -> dict[bytes, bytes]:
    """Return what the mirror keeps of these states."""
    copies = [copying().listed(each, latest=LATEST) for each in rows]
    return {copy.at: Mirrored(copy.key, copy.at, Rank(3, 1, 0, copy.hash)).kept() for copy in copies}


def page(*rows: Row) -> Shown:
    return shown(copying(), rows, latest=LATEST)


def unlike(found: Shown, held: dict[bytes, bytes], **apart: Any) -> list[str]:
    return [each.key for each in found.unlike(held, **{"but": (), "apart": (), **apart})]


@given(st.lists(st.tuples(KEYS, st.integers(-(2**63), 2**63 - 1)), max_size=20))
def test_a_whole_page_has_the_hashes_that_its_rows_have_one_by_one(said: list[tuple[str, int]]) -> None:
    rows = [item(key, amount) for key, amount in said]
    each = [Mirrored.content(copying().listed(one, latest=LATEST).hash) for one in rows]
    assert page(*rows).contents == each
    assert page(*rows).ats == [place_key((one.key,)) for one in rows]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "ab", "b", "\x01", "é"]), st.integers(0, 1))),
    st.lists(st.sampled_from(["a", "ab", "b", "\x01", "é"])),
)
def test_a_mirror_is_alike_if_and_only_if_it_holds_these_rows_and_no_others(
    said: list[tuple[str, int]], kept: list[str]
) -> None:
    rows = [item(key, amount) for key, amount in sorted(dict(said).items())]
    held, found = mirror(*(item(key) for key in {*kept}), *rows[: len(kept)]), page(*rows)
    joined = b"".join(at + body[Mirrored.CONTENT] for at, body in sorted(held.items()))
    assert found.alike() is not None
    is_alike = unlike(found, held) == [] and len(held) == len(rows)
    assert (found.alike() == Alike(Mirrored.CONTENT, joined, len(held))) == is_alike


@pytest.mark.parametrize("changed", [*BENT[:3], BENT[4]])  # the others are like none that a mirror holds
def test_no_mirror_is_alike_to_a_page_with_a_row_that_cannot_be_held(changed: dict[str, Any]) -> None:
    assert page(row(**changed), item("o-9")).alike() is None


@pytest.mark.parametrize("size", [65_535, 65_536])
def test_so_has_a_page_with_a_key_of_any_length(size: int) -> None:
    long = item("k" * size)
    assert unlike(page(long, item("o-2")), mirror(long, item("o-2"))) == []


@pytest.mark.parametrize("changed", BENT)
def test_beside_a_row_that_cannot_be_held_the_others_are_still_equal(changed: dict[str, Any]) -> None:
    bent, well = row(**changed), item("o-9")
    assert unlike(page(bent, well), mirror(row(), well)) == ["o-1"]
    with pytest.raises(UnreadableError):
        copying().listed(bent, latest=LATEST)


def test_a_row_that_is_not_held_or_is_gone_or_is_other_is_unlike() -> None:
    gone = {at: Mirrored("o-3", at, Rank(3, 1, 1, 0)).kept() for at in mirror(item("o-3"))}
    held = mirror(item("o-1"), item("o-2")) | gone
    assert unlike(page(item("o-1"), item("o-2", 6), item("o-3"), item("o-4")), held) == ["o-2", "o-3", "o-4"]


def test_a_row_of_which_more_is_to_be_said_is_unlike_whatever_is_held() -> None:
    rows = [item("o-1"), item("o-2"), item("o-3")]
    held = mirror(*rows)
    assert unlike(page(*rows), held, but={place_key(("o-3",))}, apart={"o-1"}) == ["o-1", "o-3"]


def test_rows_that_are_listed_as_deleted_are_not_shown() -> None:
    found = page(item("o-1", gone=True), item("o-2", order=(datetime(2026, 1, 1, tzinfo=UTC).year, "o-2")))
    assert (found.keys, found.places) == (["o-2"], [(2026, "o-2")])
