"""Up to where the log is final, decided from what was seen."""

from __future__ import annotations

from random import Random

import pytest

from tidings.backends.postgres.horizon import Horizon, Look, Proof, readable


def look(top: int, *holders: str, prepared: str = "") -> Look:
    return Look(top=top, holders=frozenset(holders), prepared=frozenset(prepared.split()))


def test_without_holders_all_that_is_visible_is_final() -> None:
    assert Horizon().after(look(7)) == Horizon(7)
    assert Horizon(9).after(look(7)) == Horizon(9)


def test_what_holders_may_fill_is_final_when_these_have_ended() -> None:
    open_hole = Horizon(4).after(look(7, "a", "b"))
    assert open_hole == Horizon(4, Proof(7, frozenset("ab")))
    assert open_hole.after(look(9, "b", "c")) == Horizon(4, Proof(7, frozenset("b")))
    assert open_hole.after(look(9)) == Horizon(9)


def test_who_comes_later_delays_nobody() -> None:
    assert Horizon(4).after(look(7, "a")).after(look(9, "c", "d")) == Horizon(7, Proof(9, frozenset("cd")))
    assert Horizon(4).after(look(7, "a")).after(look(7, "c")) == Horizon(7)


def test_a_prepared_transaction_counts_whenever_it_is_seen() -> None:
    """It may be one of the holders under another name: that is so after a restart of the server."""
    horizon = Horizon(4).after(look(7, "a"))
    assert horizon.after(look(7, prepared="-1/5")) == Horizon(4, Proof(7, frozenset({"-1/5"})))
    assert horizon.after(look(7, prepared="-1/5")).after(look(7)) == Horizon(7)


def test_what_was_read_without_a_hole_is_final() -> None:
    horizon = Horizon(4).after(look(9, "a"))
    assert horizon.extended(3) == horizon
    assert horizon.extended(6) == Horizon(6, Proof(9, frozenset("a")))
    assert horizon.extended(9) == Horizon(9)


@pytest.mark.parametrize(
    ("positions", "after", "final", "count"),
    [
        ([], 0, 0, 0),
        ([1, 2, 3], 0, 0, 3),
        ([2, 3], 0, 0, 0),
        ([1, 3], 0, 0, 1),
        ([1, 3], 0, 2, 2),
        ([1, 3], 0, 1, 1),
        ([2, 5, 6, 8], 0, 5, 3),
        ([2, 5, 6, 8], 0, 4, 3),
        ([2, 5, 6, 8], 0, 3, 1),
        ([2, 5, 6, 8], 0, 8, 4),
        ([9, 10, 12], 8, 3, 2),
        ([10], 8, 3, 0),
    ],
)
def test_a_page_ends_at_the_first_hole_that_may_be_filled(
    positions: list[int], after: int, final: int, count: int
) -> None:
    assert readable(positions, after=after, final=final) == count


class Server:
    """A model of PostgreSQL, one step of one writer at a time: lock, draw, draw, be visible or not, let go."""

    def __init__(self, draw: Random) -> None:
        self.visible: list[int] = []
        self.holders: set[str] = set()
        self._draw = draw
        self._last = 0
        self._drawn: dict[str, list[int]] = {}
        self._steps = {str(n): iter(range(5)) for n in range(draw.randrange(1, 12))}

    @property
    def is_over(self) -> bool:
        return not self._steps

    def step(self) -> list[int]:
        """Return what became visible."""
        name = self._draw.choice([*self._steps])
        match next(self._steps[name]):
            case 0:
                self.holders.add(name)
            case 1 | 2:
                self._last += 1
                self._drawn.setdefault(name, []).append(self._last)
            case 3 if self._draw.random() < 0.7:
                self.visible = sorted([*self.visible, *self._drawn[name]])
                return self._drawn[name]
            case 4:
                self.holders.discard(name)
                del self._steps[name]
        return []


@pytest.mark.parametrize("seed", range(300))
def test_nothing_appears_below_what_is_final(seed: int) -> None:
    """Looks and pages are begun with a snapshot, and answered some steps later."""
    draw = Random(seed)
    server, horizon = Server(draw), Horizon()
    seen, page = None, None
    while not server.is_over:
        assert all(position > horizon.final for position in server.step())
        if seen is None:
            seen = max(server.visible, default=0)
        elif draw.random() < 0.5:
            horizon, seen = horizon.after(look(seen, *server.holders)), None
        if page is None:
            page = horizon.final, [position for position in server.visible if position > horizon.final][:3]
        elif draw.random() < 0.3:
            count = readable(page[1], after=page[0], final=page[0])
            horizon = horizon.extended(page[1][count - 1]) if count else horizon
            page = None
    top = max(server.visible, default=0)
    assert horizon.after(look(top)).final == top
