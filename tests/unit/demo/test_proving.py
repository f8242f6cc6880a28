"""How long the demo waits until its orders are proved right, and what it says when they are not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.demo.test_patience import Passing
from tidings.demo.patience import STANDS_STILL
from tidings.demo.reconciled import stuck, until_proved
from tidings.demo.till_listing import PARTIAL
from tidings.errors import OperatorError

CHANGED = 1_795_850_000_000_000
BEFORE, AFTER = "2026-11-28T07:10:00.000000Z", "2026-11-28T07:20:00.000000Z"


def asof(bound: str | None, *excepted: str) -> dict[str, Any]:
    return {
        "upsert": {"as_of": bound},
        "delete": {"as_of": bound},
        "exceptions": [{"key": key} for key in excepted],
        "run": {"id": "r1", "state": "held"},
    }


class World:
    """What Till and Chirp say: of each `found` for as long as patience lasts, the last one for ever."""

    def __init__(self, *found: dict[str, Any], listings: int = PARTIAL + 1) -> None:
        self.clock = Passing()
        self._found, self._listings = found, listings

    async def till(self) -> dict[str, Any]:
        return {"listings": self._listings, "changed": CHANGED}

    async def asof(self, scope: str) -> dict[str, Any]:
        return self._found[min(int(self.clock.passed // STANDS_STILL), len(self._found) - 1)]

    async def prove(self) -> None:
        parties: Any = self
        await until_proved(parties, parties, self.clock, lambda *_: None)


async def test_it_is_waited_for_as_long_as_fewer_are_in_doubt_or_the_bound_moves() -> None:
    world = World(asof(None, "a", "b", "c"), asof(None, "a", "b"), asof(None, "a"), asof(BEFORE, "a"), asof(AFTER))
    await world.prove()
    assert world.clock.passed >= 4 * STANDS_STILL


async def test_a_copy_that_is_proved_before_both_lists_lied_is_waited_for() -> None:
    with pytest.raises(OperatorError, match="does not move"):
        await World(asof(AFTER), listings=PARTIAL).prove()


async def test_a_bound_that_moves_on_past_the_last_change_is_no_reason_to_wait_for_one_in_doubt() -> None:
    world = World(*(asof(f"2026-11-28T07:{minute}:00.000000Z", "a") for minute in range(20, 40)))
    with pytest.raises(OperatorError, match="does not move"):
        await world.prove()
    assert world.clock.passed < 2 * STANDS_STILL


async def test_one_that_stands_still_is_given_up_in_one_line() -> None:
    world = World(asof(BEFORE, *(f"order-{n}" for n in range(200))))
    with pytest.raises(OperatorError) as caught:
        await world.prove()
    assert str(caught.value) == (
        f"Chirp's orders are proved right as of {BEFORE} for what is there and {BEFORE} for what is gone, but for "
        "200 orders, such as order-0, order-1, order-2; Till last changed at 2026-11-28T07:13:20.000000Z, and this "
        "does not move. The last run is held: tidings reconcile report till-orders r1"
    )


def test_one_that_was_never_proved_is_said_so() -> None:
    found = asof(None) | {"run": None}
    assert "as of never for what is there and never for what is gone, but for 0 orders; Till" in stuck(found, CHANGED)
    assert stuck(found, CHANGED).endswith("The last run is none")
