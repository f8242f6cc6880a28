"""What the log says of requests that are refused for the server's own sake: a line for a row of them."""

from __future__ import annotations

import logging

from tidings.api.problems import Problem, problem_of
from tidings.ports import Clock

ROW_SECONDS = 10
_log = logging.getLogger("tidings.api")


class Refusals:
    """Tells of the first refusal of a kind, and every `ROW_SECONDS` how many more there were."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[Problem, tuple[float, int]] = {}

    def tell(self, error: BaseException, *, instance: str) -> None:
        """Tell of an error of a request to the path `instance`, if it is one that the server has to answer for."""
        problem = problem_of(error)
        if problem.status != 503:
            return
        now = self._clock.monotonic()
        told_at, more = self._rows.get(problem, (float("-inf"), 0))
        if now < told_at + ROW_SECONDS:
            self._rows[problem] = told_at, more + 1
            return
        self._rows[problem] = now, 0
        before = f"; so were {more:,} others since the last line" if more else ""
        _log.warning("a request to %r was refused: %s: %s%s", instance, type(error).__name__, error, before)
