"""Rows of a list as the copy would hold them, and whether it holds them already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.reconciliation.declared import facts
from tidings import Service
from tidings.reconciliation.copy.copying import Copied, Copying, copied
from tidings.reconciliation.kept.coding import Mirrored
from tidings.reconciliation.listing import Row
from tidings.store.rows import Rank

LATEST = 1_767_225_600_000_000
INT64 = st.integers(-(2**63), 2**63 - 1)


def copying(secret: bytes = b"a secret of this") -> Copying:
    orders = Service("orders")

    @orders.view(key=("order_id",))
    class Order:
        order_id: str
        amount: int

    return Copying(orders.views[0], facts(), secret)


def row(**changed: Any) -> Row:
    state = {"order_id": "o-1", "amount": 5} | changed.pop("state", {})
    return Row(**({"key": "o-1", "state": state, "version": datetime(2026, 1, 1, 0, 0, 0, 999_999, UTC)} | changed))


def listed(row: Row, secret: bytes = b"a secret of this") -> Copied:
    return copying(secret).listed(row, latest=LATEST)


@given(INT64, st.integers(0, 1), st.integers(0, 1), INT64, INT64)
def test_what_is_kept_shows_a_state_if_it_is_live_and_of_its_hash(
    at: int, settled: int, kind: int, hash: int, other: int
) -> None:
    kept = Mirrored("o-1", b"place", Rank(at, settled, kind, hash)).kept()
    assert Mirrored.shows(kept, hash) is (kind == 0)
    assert Mirrored.shows(kept, other) is (kind == 0 and hash == other)


def test_the_hash_is_of_key_and_state_and_of_the_scopes_secret() -> None:
    one = listed(row())
    assert one.version == 1_767_225_600_000_000
    assert one.hash == listed(row()).hash
    others = [row(state={"amount": 6}), row(key="o-2", state={"order_id": "o-2"})]
    hashes = {one.hash, listed(row(), b"another secret--").hash, *(listed(o).hash for o in others)}
    assert len(hashes) == 4


@pytest.mark.parametrize(
    "changed",
    [
        {"version": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"version": 7},
        {"version": None},
        {"state": {"amount": 2**63}},
        {"state": {"amount": "much"}},
        {"state": {"order_id": "o-2"}},
    ],
)
def test_a_row_that_the_copy_cannot_hold_is_unreadable_and_the_others_count(changed: dict[str, Any]) -> None:
    found = copied(copying(), [row(**changed), row(key="o-3", state={"order_id": "o-3"})], latest=LATEST)
    assert list(found.unreadable.values()) == ["o-1"]
    assert [each.key for each in found.copies] == ["o-3"]


def test_a_version_that_cannot_be_yet_is_none() -> None:
    assert listed(row(version=datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC))).version is None
