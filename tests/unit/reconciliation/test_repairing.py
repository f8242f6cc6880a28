"""What a repair is called, by what is here and what is there: it is made once, and again if it is needed again."""

from __future__ import annotations

from tidings.reconciliation.copy.repairing import Difference, finding_id
from tidings.reconciliation.rules.judging import Kind
from tidings.store.rows import Rank

A, B = 11, 22


def difference(base: Rank | None, *, hash: int, at: int, key: str = "o1") -> Difference:
    return Difference(kind=Kind.STALE, key=key, at=b"o1", rank=Rank(at, 1, 0, hash), base=base)


def test_repair_id_is_equal_for_two_finders_and_new_after_a_to_b_to_a() -> None:
    here = Rank(5, 0, 0, A)
    first = finding_id("till-orders", difference(here, hash=B, at=7))
    assert finding_id("till-orders", difference(here, hash=B, at=9)) == first  # whoever reads later has found the same
    back = finding_id("till-orders", difference(Rank(7, 1, 0, B), hash=A, at=10))
    again = finding_id("till-orders", difference(Rank(10, 1, 0, A), hash=B, at=12))
    assert len({first, back, again}) == 3


def test_what_differs_elsewhere_has_another_id() -> None:
    here = Rank(5, 0, 0, A)
    ids = {
        finding_id("till-orders", difference(here, hash=B, at=7)),
        finding_id("other-orders", difference(here, hash=B, at=7)),
        finding_id("till-orders", difference(here, hash=B, at=7, key="o2")),
        finding_id("till-orders", difference(None, hash=B, at=7)),
    }
    assert len(ids) == 4
