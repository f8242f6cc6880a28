"""What the log says of requests that are refused or fail for the server's own sake: a line for a row of them."""

from __future__ import annotations

import logging

from tidings.api.problems import Problem, Refusal, problem_of
from tidings.ports import Clock
from tidings.telemetry.failures import Failures
from tidings.telemetry.seldom import Seldom

ROW_SECONDS = 10
_log = logging.getLogger("tidings.api")


class Refusals:
    """Tells of the first refusal of a kind, and every `ROW_SECONDS` how many more there were; likewise of failures."""

    def __init__(self, clock: Clock) -> None:
        self._seldom = Seldom[Problem](clock, ROW_SECONDS)
        self._failures = Failures(_log, clock)

    def tell(self, error: BaseException, *, instance: str) -> None:
        """Tell of an error of a request to the path `instance`, if it is one that the server has to answer for."""
        problem = problem_of(error)
        if problem is Problem.INTERNAL and not isinstance(error, Refusal):
            self._failures.tell(error, instance=instance)
        if problem.status != 503:
            return
        more = self._seldom.untold(problem)
        if more is not None:
            before = f"; so were {more:,} others since the last line" if more else ""
            _log.warning("a request to %r was refused: %s: %s%s", instance, type(error).__name__, error, before)
