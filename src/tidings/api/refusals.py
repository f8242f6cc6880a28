"""What the log says of requests that are refused or fail for the server's own sake: a line for a row of them."""

from __future__ import annotations

import logging

from tidings.api.problems import Problem, Refusal, problem_of
from tidings.errors import TidingsError
from tidings.ports import Clock
from tidings.telemetry.failures import Failures
from tidings.telemetry.seldom import Seldom

ROW_SECONDS = 10
_log = logging.getLogger("tidings.api")


class Refusals:
    """Tells of the first refusal of a kind, and every `ROW_SECONDS` how many more there were; likewise of failures."""

    def __init__(self, clock: Clock) -> None:
        self._refused = Seldom[Problem](clock, ROW_SECONDS, _more_refused)
        self._cut = Seldom[str](clock, ROW_SECONDS, _more_cut)
        self._failures = Failures(_log, clock)

    def tell(self, error: BaseException, *, instance: str) -> None:
        """Tell of an error of a request to the path `instance`, if it is one that the server has to answer for."""
        problem = problem_of(error)
        if problem is Problem.INTERNAL and not isinstance(error, Refusal):
            self._failures.tell(error, f"a request to {instance!r} failed")
        if problem.status == 503 and self._refused.is_due(problem):
            _log.warning("a request to %r was refused: %s: %s", instance, type(error).__name__, error)

    def tell_of_stream(self, error: Exception) -> None:
        """Tell of an error that ended an answer which had begun."""
        name = type(error).__name__
        if not isinstance(error, TidingsError):
            self._failures.tell(error, "a stream failed")
        elif self._cut.is_due(name):
            _log.warning("a stream ended before its time: %s: %s", name, error)


def _more_refused(problem: Problem, more: int) -> None:
    _log.warning("%s more requests were refused: %s", f"{more:,}", problem.slug)


def _more_cut(name: str, more: int) -> None:
    _log.warning("%s more streams ended before their time: %s", f"{more:,}", name)
