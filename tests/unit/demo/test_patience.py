"""What is waited for, and when it is given up."""

from __future__ import annotations

from tidings.demo.patience import STANDS_STILL, Patience


class Passing:
    def __init__(self) -> None:
        self.passed = 0.0

    def now_us(self) -> int:
        return round(self.passed * 1_000_000)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


def test_patience_lasts_as_long_as_something_changes() -> None:
    clock = Passing()
    patience = Patience(clock)
    for left in range(10, 0, -1):
        clock.passed += STANDS_STILL
        assert not patience.ends(left)


def test_patience_ends_when_nothing_has_changed_for_long() -> None:
    clock = Passing()
    patience = Patience(clock)
    assert not patience.ends(("lag", 3))
    clock.passed += STANDS_STILL
    assert not patience.ends(("lag", 3))
    clock.passed += 1
    assert patience.ends(("lag", 3))
