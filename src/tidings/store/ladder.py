"""When a delivery that failed is made again, whoever it goes to: a pure decision."""

from __future__ import annotations

from collections.abc import Sequence

SECONDS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Before attempt 1, 2, … 10: 75 h, 35 min and 5 s together."""
TRIES = len(SECONDS)
JITTER = 0.2


def seconds_after(attempt: int, *, draw: float, ladder: Sequence[float] = SECONDS) -> float | None:
    """Return how long to wait after the failed attempt of this number; None: it was the last one. 0: before the first.

    Up to a fifth more or less, so that what failed together does not come back together. `draw`: evenly from 0 to 1.
    `ladder`: seconds before each attempt.
    """
    if attempt >= len(ladder):
        return None
    return ladder[attempt] * (1 + JITTER * (2 * draw - 1))
