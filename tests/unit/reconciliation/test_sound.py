"""A key or a place by which not every store can find a note is none."""

from __future__ import annotations

import pytest

from tidings.errors import InvalidDataError
from tidings.reconciliation.copy.sound import sound_page, sound_said
from tidings.reconciliation.listing import Hint, Page, Row, Snapshot
from tidings.reconciliation.rules.places import OrderKey

LONGEST = "\U0001f600" * 500


def page(*rows: Row) -> Page:
    return Page(rows=rows, next_cursor=None, server_date=None)


def test_a_row_is_named_by_at_most_2000_bytes() -> None:
    rows = [Row(key=LONGEST, state={}), Row(key=LONGEST + "x", state={}), Row(key="a", state={})]
    found, nameless = sound_page(page(*rows), by_key=True)
    assert ([row.key for row in found.rows], len(nameless)) == ([LONGEST, "a"], 1)


@pytest.mark.parametrize(
    ("order", "nameless"), [(LONGEST, 0), (LONGEST + "x", 1), ((LONGEST, 7), 0), ((LONGEST, "x"), 1)]
)
def test_a_place_in_a_list_has_at_most_2000_bytes_of_text(order: OrderKey, nameless: int) -> None:
    assert len(sound_page(page(Row(key="a", state={}, order=order)), by_key=False)[1]) == nameless


def test_an_event_is_of_an_item_that_can_be_found_or_its_entry_is_told_to_be_unreadable() -> None:
    for said in (
        None,
        Hint(key=LONGEST),
        Snapshot(key=LONGEST, state=None),
        Snapshot(key="a", state=None, order=(LONGEST, 1)),
    ):
        assert sound_said(said) is said
    for said in (
        Hint(key=LONGEST + "x"),
        Snapshot(key=LONGEST + "x", state=None),
        Snapshot(key="a", state=None, order=LONGEST + "x"),
    ):
        with pytest.raises(InvalidDataError, match="more than 2,000 bytes of UTF-8"):
            sound_said(said)
